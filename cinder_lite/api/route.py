"""Defines routes, and finds the route of a request by path, method, version and action."""

import dataclasses
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import routes

from cinder_lite import errors
from cinder_lite.api import versions
from cinder_lite.api.body_schema import Schema
from cinder_lite.api.request import Request
from cinder_lite.api.view import FIRST, NEVER, Renderer, served_at

#: Handles a request; the result is rendered by the view of the route.
Handler = Callable[[Request], Any]


@dataclasses.dataclass(frozen=True)
class Route:
    """One operation of the API.

    `path` begins behind /v3 and the optional project. `action` is the key of the body that names the operation where
    several share a path. `body` is a schema with versions in it (see api/body_schema.py), `view` renders the result of
    the handler, `status` is the one of a successful response. Without a `policy` any valid token is sufficient.
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
        return served_at(self.since, self.until, version)


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


def action_of(document: Mapping[str, Any] | None, actions: Collection[str]) -> str:
    """The one key of an action's body. Raises BadRequest, which names the key and the known actions."""
    if document is None:
        raise errors.BadRequest("The body is missing: an object with one key is needed that names the action.")
    if len(document) != 1:
        raise errors.BadRequest("The body must have exactly one key, which names the action.")
    name = next(iter(document))
    if name not in actions:
        raise errors.BadRequest(f"There is no such action: {name[:100]}. "
                                f"The actions are: {', '.join(sorted(actions))}.")
    return name


def _served(candidates: Sequence[Route], version: versions.Version) -> Route:
    for route in candidates:
        if route.served_at(version):
            return route
    raise errors.VersionNotFound(version=versions.text(version), since=min(
        (route.since for route in candidates), key=versions.number))


def _literals_first(path: str) -> list[tuple[bool, str]]:
    """A sort key that puts literal segments before variable ones: /volumes/detail before /volumes/{volume_id}."""
    return [(segment.startswith("{"), segment) for segment in path.split("/")]
