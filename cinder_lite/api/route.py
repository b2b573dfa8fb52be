"""Defines routes and views, and finds the route of a request by path, method, version and action."""

import bisect
import dataclasses
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import routes

from cinder_lite import errors
from cinder_lite.api import versions
from cinder_lite.api.body import Schema, action_of
from cinder_lite.api.request import Request

FIRST, NEVER = "3.0", None

#: A row of a resource: its columns are attributes. Drivers' findings are dicts.
Row = Any
#: Renders the result of a handler, or one row of it.
Renderer = Callable[[Any, Request], Any]
#: Handles a request; the result is rendered by the view of the route.
Handler = Callable[[Request], Any]


def _served_at(since: str, until: str | None, version: versions.Version) -> bool:
    return versions.number(since) <= version and (until is None or version <= versions.number(until))


@dataclasses.dataclass(frozen=True)
class Route:
    """One operation of the API.

    `path` begins behind /v3 and the optional project. `action` is the key of the body that names the operation where
    several share a path. `body` is a schema with versions in it (see api/body.py), `view` renders the result of the
    handler, `status` is the one of a successful response. Without a `policy` any valid token is sufficient.
    `response` is the JSON Schema of the response for the API description, if api/schemas/responses.py has none.
    """

    method: str
    path: str
    handler: Handler
    policy: str | None
    body: Schema | None = None
    view: Renderer | None = None
    status: int = 200
    since: str = FIRST
    until: str | None = NEVER
    action: str | None = None
    response: Schema | None = None

    def served_at(self, version: versions.Version) -> bool:
        return _served_at(self.since, self.until, version)


class PathRoutes:
    """The routes of one path, by method and by (method, action).

    It is the controller of a path for Routes, which keeps callable controllers as they are and makes texts of others.
    """

    def __init__(self) -> None:
        self.plain: dict[str, list[Route]] = {}
        self.actions: dict[tuple[str, str], list[Route]] = {}

    def __call__(self) -> None:
        raise TypeError("the routes of a path are not called")

    def add(self, route: Route) -> None:
        if route.action:
            self.actions.setdefault((route.method, route.action), []).append(route)
        else:
            self.plain.setdefault(route.method, []).append(route)


class Table:
    """Finds the route of a request. One Routes mapper per collection, so that a match tries few patterns."""

    def __init__(self, table: Iterable[Route]) -> None:
        self.routes = tuple(table)
        paths: dict[str, PathRoutes] = {}
        self._mappers: dict[str, routes.Mapper] = {}
        for route in self.routes:
            paths.setdefault(route.path, PathRoutes()).add(route)
        for path in sorted(paths, key=_literals_first):
            collection = path.split("/")[1]
            mapper = self._mappers.setdefault(collection, self._mapper())
            mapper.connect(path, controller=paths[path])
        for mapper in self._mappers.values():
            mapper.create_regs([])

    @staticmethod
    def _mapper() -> routes.Mapper:
        mapper = routes.Mapper(explicit=True, register=False)
        mapper.minimization = False
        return mapper

    def is_collection(self, segment: str) -> bool:
        """Whether a path segment names a collection; otherwise it is a project's id."""
        return segment in self._mappers

    def match(self, path: str) -> tuple[PathRoutes | None, dict[str, str]]:
        """(the routes of the path, its arguments); (None, {}) for an unknown path."""
        mapper = self._mappers.get(path.split("/", 2)[1])
        found = mapper.match(path) if mapper is not None else None
        if not found:
            return None, {}
        found = dict(found)
        found.pop("action", None)
        return found.pop("controller"), found

    def choose(self, entry: PathRoutes, method: str, version: versions.Version,
               document: Mapping[str, Any] | None) -> Route:
        """The route for the method and, where the body names one, the action. Raises NotFound or BadRequest."""
        plain = entry.plain.get(method)
        if plain is not None:
            return _served(plain, version)
        actions = {action: found for (verb, action), found in entry.actions.items() if verb == method}
        if not actions:
            raise errors.NotFound()
        name = action_of(document, actions)
        return _served(actions[name], version)


def _served(candidates: Sequence[Route], version: versions.Version) -> Route:
    for route in candidates:
        if route.served_at(version):
            return route
    raise errors.VersionNotFound(version=versions.text(version), since=min(
        (route.since for route in candidates), key=versions.number))


def _literals_first(path: str) -> list[tuple[bool, str]]:
    """A sort key that puts literal segments before variable ones: /volumes/detail before /volumes/{volume_id}."""
    return [(segment.startswith("{"), segment) for segment in path.split("/")]


@dataclasses.dataclass(frozen=True)
class Field:
    """A key of a view.

    `get` is a function of (row, req), or the name of the row's attribute; None means the attribute of the same name.
    `policy` names a rule that must allow the field for the row's project.
    """

    name: str
    get: Renderer | str | None = None
    since: str = FIRST
    until: str | None = NEVER
    policy: str | None = None

    def served_at(self, version: versions.Version) -> bool:
        return _served_at(self.since, self.until, version)


class View:
    """Renders rows as the fields that the request's version has and the requester may see."""

    def __init__(self, *fields: Field) -> None:
        self.fields = fields
        self.breaks = sorted({versions.number(field.since) for field in fields}
                             | {(major, minor + 1) for major, minor in (
                                 versions.number(field.until) for field in fields if field.until)})
        self._by_version: dict[int, tuple[Field, ...]] = {}

    def at(self, version: versions.Version) -> tuple[Field, ...]:
        """The fields of that version."""
        key = bisect.bisect_right(self.breaks, version)
        found = self._by_version.get(key)
        if found is None:
            found = self._by_version[key] = tuple(field for field in self.fields if field.served_at(version))
        return found

    def __call__(self, row: Row, req: Request) -> dict[str, Any]:
        # The rows of a page are of few projects: which fields are shown is decided once per project.
        project = getattr(row, "project_id", None)
        found = req.renderers.get((self, project))
        if found is None:
            found = req.renderers[self, project] = _FieldRenderer([
                field for field in self.at(req.version) if field.policy is None or req.allows(field.policy, project)])
        return found(row, req)


class _FieldRenderer:
    """Renders rows as a fixed set of fields: plain columns all at once, the rest one by one."""

    def __init__(self, fields: Sequence[Field]) -> None:
        plain = [field for field in fields if not callable(field.get)]
        self.names = [field.name for field in plain]
        columns: list[Any] = [field.get or field.name for field in plain]
        get: Callable[[Row], Any] | None = operator.attrgetter(*columns) if columns else None
        self.values = get if get and len(columns) > 1 else (lambda row: (get(row),) if get else ())
        self.computed = [(field.name, field.get) for field in fields if callable(field.get)]

    def __call__(self, row: Row, req: Request) -> dict[str, Any]:
        shown = dict(zip(self.names, self.values(row), strict=True))
        for name, get in self.computed:
            shown[name] = get(row, req)
        return shown


@dataclasses.dataclass(frozen=True)
class One:
    """Renders {key: the row}."""

    key: str
    view: Renderer

    def __call__(self, row: Row, req: Request) -> dict[str, Any]:
        return {self.key: self.view(row, req)}


@dataclasses.dataclass(frozen=True)
class Page:
    """Rows of a list; with `more` the response has a link to the next page. `count` is the length of the whole list."""

    rows: Sequence[Row]
    more: bool = False
    count: int | None = None


@dataclasses.dataclass(frozen=True)
class Many:
    """Renders the Page that a handler returns as {key: rows, links: [next], count: n}."""

    key: str
    view: Renderer
    links: str | None = None

    def __call__(self, page: Page, req: Request) -> dict[str, Any]:
        rendered: dict[str, Any] = {self.key: [self.view(row, req) for row in page.rows]}
        if page.count is not None:
            rendered["count"] = page.count
        if self.links and page.more:
            rendered[self.links] = [{"rel": "next", "href": req.next_link(page.rows[-1].id)}]
        return rendered


def text(value: str, _req: Request) -> bytes:
    """The view of a plain text."""
    return value.encode()


def plain(document: Any, _req: Request) -> Any:
    """The view of a document that the handler has rendered itself."""
    return document
