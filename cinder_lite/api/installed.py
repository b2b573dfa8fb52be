"""The routes of the API together with those that installed packages add by entry points."""

import functools
from typing import Any

from cinder_lite import errors
from cinder_lite.api import policy
from cinder_lite.api.route import Route
from cinder_lite.api.routes import ROUTES
from cinder_lite.conf import plugins

#: Entry points that lead to sequences of Route.
NAMESPACE = "cinder_lite.routes"


@functools.cache
def routes() -> tuple[Route, ...]:
    """ROUTES and the added rows, loaded once in a process.

    Raises Misconfigured for a row that repeats another one or whose policy does not exist.
    """
    found = list(ROUTES)
    taken = {_operation(route) for route in ROUTES}
    for name, added in plugins.every(NAMESPACE).items():
        for route in added:
            reason = _unusable(route, taken)
            if reason:
                raise errors.Misconfigured(f"{plugins.origin(NAMESPACE, name)} adds {reason}")
            found.append(route)
        taken |= {_operation(route) for route in added}
    return tuple(found)


def _operation(route: Route) -> tuple[str, str, str | None]:
    return route.method, route.path, route.action


def _unusable(route: Any, taken: set[tuple[str, str, str | None]]) -> str | None:
    """What is wrong with an added row, or None."""
    if not isinstance(route, Route):
        return f"{route!r:.100}, which is not a Route"
    if _operation(route) in taken:
        return f"{route.method} {route.path} {route.action or ''}".rstrip() + " once more"
    if route.policy is not None and route.policy not in policy.rules():
        return f"{route.method} {route.path} with the policy {route.policy}, which does not exist"
    return None
