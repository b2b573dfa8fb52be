"""Finds the route of a request by path, method, version and action."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from cinder_lite import errors
from cinder_lite.api import mappers, versions
from cinder_lite.api.route import Route


class Table:
    """The routes of the API."""

    def __init__(self, table: Iterable[Route]) -> None:
        self.routes = tuple(table)
        self._mappers = mappers.build(self.routes)

    def is_collection(self, segment: str) -> bool:
        """Whether a path segment names a collection; otherwise it is a project's id."""
        return segment in self._mappers

    def match(self, path: str) -> tuple[mappers.PathRoutes | None, dict[str, str]]:
        """(the routes of the path, its arguments); (None, {}) for an unknown path."""
        mapper = self._mappers.get(path.split("/", 2)[1])
        found = mapper.match(path) if mapper is not None else None
        if not found:
            return None, {}
        found = dict(found)
        found.pop("action", None)
        return found.pop("controller"), found

    def choose(self, entry: mappers.PathRoutes, method: str, version: versions.Version,
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
