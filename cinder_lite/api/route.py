"""Defines what a route is: one operation of the API."""

import dataclasses
from collections.abc import Callable
from typing import Any

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
