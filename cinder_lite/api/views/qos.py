"""Renders QoS specs."""

from typing import Any

from cinder_lite.api.request import Request
from cinder_lite.api.view import Row


def SPEC(row: Row, _req: Request) -> dict[str, Any]:
    return {"id": row.id, "name": row.name, "consumer": row.consumer, "specs": row.specs}


def SINGLE(row: Row, req: Request) -> dict[str, Any]:
    """The response for one spec, with its links."""
    return {"qos_specs": SPEC(row, req), "links": req.links("qos-specs", row.id)}
