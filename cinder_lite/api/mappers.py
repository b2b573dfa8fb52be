"""Builds the mappers, of the library Routes, that find the routes of a path."""

from collections.abc import Iterable

import routes

from cinder_lite.api.route import Route


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


def build(table: Iterable[Route]) -> dict[str, routes.Mapper]:
    """{collection: the mapper of its paths}: one per collection, so that a match tries few patterns."""
    paths: dict[str, PathRoutes] = {}
    for route in table:
        paths.setdefault(route.path, PathRoutes()).add(route)
    mappers: dict[str, routes.Mapper] = {}
    for path in sorted(paths, key=_literals_first):
        collection = path.split("/")[1]
        if collection not in mappers:
            mappers[collection] = routes.Mapper(explicit=True, register=False)
            mappers[collection].minimization = False
        mappers[collection].connect(path, controller=paths[path])
    for mapper in mappers.values():
        mapper.create_regs([])
    return mappers


def _literals_first(path: str) -> list[tuple[bool, str]]:
    """A sort key that puts literal segments before variable ones: /volumes/detail before /volumes/{volume_id}."""
    return [(segment.startswith("{"), segment) for segment in path.split("/")]
