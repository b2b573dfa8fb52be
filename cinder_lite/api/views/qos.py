"""Renders QoS specs."""

from typing import Any

from cinder_lite.api.request import Request
from cinder_lite.api.view import Row, View

SPEC = View("id", "name", "consumer", "specs")


def SINGLE(row: Row, req: Request) -> dict[str, Any]:
    """The response for one spec, with its links."""
    return {"qos_specs": SPEC(row, req), "links": req.links("qos-specs", row.id)}
