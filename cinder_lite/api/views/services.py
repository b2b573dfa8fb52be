"""Renders services, pools and hosts."""

from typing import Any

from cinder_lite.api.request import Request
from cinder_lite.api.view import Field, Row, View
from cinder_lite.api.views.volumes import time
from cinder_lite.db import services
from cinder_lite.jobs import pool_facts
from cinder_lite.jobs.pool_capacity import as_pool

VOLUME = "cinder-volume"


def state(row: Row, req: Request) -> str:
    """Up or down. As in Cinder a backup service without its store is down, a volume service without its backend up."""
    able = row.binary == VOLUME or row.backend_up
    return "up" if able and services.is_up(row, req.conf.service_down_time) else "down"


def _status(row: Row, _req: Request) -> str:
    return "disabled" if row.disabled else "enabled"


def _has_backend(row: Row, _req: Request) -> bool:
    return row.binary == VOLUME


SERVICE = View(
    "binary", "host", Field("zone", "availability_zone"), Field("status", _status), Field("state", state),
    Field("updated_at", lambda row, req: time(row.seen_at or row.updated_at)), "disabled_reason",
    Field("cluster", "cluster_name", since="3.7"),
    Field("replication_status", lambda row, req: row.replication_status or "disabled", when=_has_backend),
    Field("active_backend_id", when=_has_backend), Field("frozen", when=_has_backend),
    Field("backend_state", lambda row, req: "up" if row.backend_up and state(row, req) == "up" else "down",
          since="3.49", when=_has_backend))


def POOL(row: Row, req: Request) -> dict[str, Any]:
    """A pool; with `detail=true` also its capabilities and capacity."""
    if not req.flag("detail"):
        return {"name": row.name}
    facts = pool_facts.facts(as_pool(row, req.conf.service_down_time))
    return {"name": row.name, "capabilities": facts | {"timestamp": time(row.measured_at)}}
