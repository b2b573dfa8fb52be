"""What a route is, and how a request finds its own: version, body, policy, handler, view, in this order."""

import bisect
import dataclasses
import operator
import typing

import routes

from cinder_lite import errors
from cinder_lite.api import body, versions

FIRST, NEVER = "3.0", None


@dataclasses.dataclass(frozen=True)
class Route:
    """One operation of the API.

    `path` begins behind /v3 and the optional project. `action` is the key of the body that names the operation where
    several share a path. `body` is a schema with versions in it (see api/body.py), `view` renders what the handler
    returns, `status` is the answer's when all went well. `policy` None means any valid token.
    """

    method: str
    path: str
    handler: typing.Callable
    policy: str | None
    body: dict | None = None
    view: typing.Any = None
    status: int = 200
    since: str = FIRST
    until: str | None = NEVER
    action: str | None = None

    def served_at(self, version):
        return versions.number(self.since) <= version and (
            self.until is None or version <= versions.number(self.until))


class _Path:
    """The routes of one path: what Routes leads to, so it has to be callable to stay an object in there."""

    def __init__(self):
        self.plain = {}
        self.actions = {}

    def __call__(self):
        raise TypeError("a path is looked into, not called")


class Table:
    """Finds the route of a request. One Routes mapper a collection, so that a match tries few patterns."""

    def __init__(self, table):
        self.routes = tuple(table)
        paths, self._mappers = {}, {}
        for route in self.routes:
            path = paths.setdefault(route.path, _Path())
            (path.actions if route.action else path.plain).setdefault(
                (route.method, route.action) if route.action else route.method, []).append(route)
        for path in sorted(paths, key=_specific):
            collection = path.split("/")[1]
            mapper = self._mappers.setdefault(collection, self._mapper())
            mapper.connect(path, controller=paths[path])
        for mapper in self._mappers.values():
            mapper.create_regs([])

    @staticmethod
    def _mapper():
        mapper = routes.Mapper(explicit=True, register=False)
        mapper.minimization = False
        return mapper

    def is_collection(self, segment):
        """Whether a path segment names a collection; otherwise it is a project's id."""
        return segment in self._mappers

    def match(self, path):
        """(the routes of the path, its arguments), or (None, None)."""
        mapper = self._mappers.get(path.split("/", 2)[1])
        found = mapper.match(path) if mapper is not None else None
        if not found:
            return None, None
        found = dict(found)
        found.pop("action", None)
        return found.pop("controller"), found

    def choose(self, entry, method, version, document):
        """The route for the method and, where the body names one, the action. Raises NotFound or BadRequest."""
        plain = entry.plain.get(method)
        if plain is not None:
            return _served(plain, version)
        actions = {action: found for (verb, action), found in entry.actions.items() if verb == method}
        if not actions:
            raise errors.NotFound()
        name = body.action_of(document, actions)
        return _served(actions[name], version)


def _served(candidates, version):
    for route in candidates:
        if route.served_at(version):
            return route
    raise errors.VersionNotFound(version=versions.text(version), since=min(
        (route.since for route in candidates), key=versions.number))


def _specific(path):
    """Literal segments before variable ones: /volumes/detail before /volumes/{volume_id}."""
    return [(segment.startswith("{"), segment) for segment in path.split("/")]


@dataclasses.dataclass(frozen=True)
class Field:
    """A key of a view: `get` takes (row, req), a text names the row's attribute, None the one called like the key.

    `policy` names a rule that must allow the field for the row's project.
    """

    name: str
    get: typing.Any = None
    since: str = FIRST
    until: str | None = NEVER
    policy: str | None = None

    def served_at(self, version):
        return Route.served_at(self, version)


class View:
    """Renders rows as the fields that the request's version and the asker's rights show."""

    def __init__(self, *fields):
        self.fields = fields
        self.breaks = sorted({versions.number(field.since) for field in fields}
                             | {(major, minor + 1) for major, minor in (
                                 versions.number(field.until) for field in fields if field.until)})
        self._by_version = {}

    def at(self, version):
        """The fields of that version."""
        key = bisect.bisect_right(self.breaks, version)
        found = self._by_version.get(key)
        if found is None:
            found = self._by_version[key] = tuple(field for field in self.fields if field.served_at(version))
        return found

    def __call__(self, row, req):
        # A page is of one project, or of few: what its rows show is worked out once a project.
        project = getattr(row, "project_id", None)
        found = req.showing.get((self, project))
        if found is None:
            found = req.showing[self, project] = _Showing([
                field for field in self.at(req.version) if field.policy is None or req.allows(field.policy, project)])
        return found(row, req)


class _Showing:
    """Renders rows as a fixed set of fields: plain columns all at once, the rest one by one."""

    def __init__(self, fields):
        plain = [field for field in fields if not callable(field.get)]
        self.names = [field.name for field in plain]
        columns = [field.get or field.name for field in plain]
        get = operator.attrgetter(*columns) if columns else None
        self.values = get if len(columns) > 1 else (lambda row: (get(row),) if get else ())
        self.computed = [(field.name, field.get) for field in fields if callable(field.get)]

    def __call__(self, row, req):
        shown = dict(zip(self.names, self.values(row), strict=True))
        for name, get in self.computed:
            shown[name] = get(row, req)
        return shown


@dataclasses.dataclass(frozen=True)
class One:
    """The answer {key: view of the row}."""

    key: str
    view: typing.Callable

    def __call__(self, row, req):
        return {self.key: self.view(row, req)}


@dataclasses.dataclass(frozen=True)
class Many:
    """The answer {key: [views], key_links: [next], count: n}; the handler returns a Page."""

    key: str
    view: typing.Callable
    links: str | None = None

    def __call__(self, page, req):
        answer = {self.key: [self.view(row, req) for row in page.rows]}
        if page.count is not None:
            answer["count"] = page.count
        if self.links and page.more:
            answer[self.links] = [{"rel": "next", "href": req.next_link(page.rows[-1].id)}]
        return answer


@dataclasses.dataclass(frozen=True)
class Page:
    """Rows of a list; `more` asks for a link to the next page."""

    rows: typing.Sequence
    more: bool = False
    count: int | None = None


def text(words, _req):
    """The view of what is answered as plain text."""
    return words.encode()


def plain(document, _req):
    """The view of what is an answer as it stands."""
    return document
