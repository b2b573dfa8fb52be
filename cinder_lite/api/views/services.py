"""What answers show of services, pools and hosts."""

from cinder_lite.api.route import Field, View
from cinder_lite.api.views.volumes import time
from cinder_lite.db import services
from cinder_lite.jobs.pool_capacity import as_pool

VOLUME = "cinder-volume"


def state(row, req):
    """As in Cinder a backup service that cannot use its store counts as down, and a volume service with its backend down as up."""
    able = row.binary == VOLUME or row.backend_up
    return "up" if able and services.is_up(row, req.conf.service_down_time) else "down"


def _status(row, _req):
    return "disabled" if row.disabled else "enabled"


_view = View(
    Field("binary"), Field("host"), Field("zone", "availability_zone"), Field("status", _status), Field("state", state),
    Field("updated_at", lambda row, req: time(row.seen_at or row.updated_at)), Field("disabled_reason"),
    Field("cluster", "cluster_name", since="3.7"))
_of_volume = View(
    Field("replication_status", lambda row, req: row.replication_status or "disabled"), Field("active_backend_id"),
    Field("frozen"),
    Field("backend_state", lambda row, req: "up" if row.backend_up and state(row, req) == "up" else "down",
          since="3.49"))


def SERVICE(row, req):
    shown = _view(row, req)
    return shown | _of_volume(row, req) if row.binary == VOLUME else shown


def POOL(row, req):
    """A pool; with `detail=true` also what it can do and hold."""
    if not req.flag("detail"):
        return {"name": row.name}
    facts = as_pool(row, req.conf.service_down_time).facts()
    return {"name": row.name, "capabilities": facts | {"timestamp": time(row.measured_at)}}
