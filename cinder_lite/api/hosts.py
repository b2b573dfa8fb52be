"""Handles /os-hosts, /clusters and /workers."""

from collections.abc import Mapping, Sequence
from typing import Any

from cinder_lite import db, errors
from cinder_lite.api.body import is_true
from cinder_lite.api.request import Request
from cinder_lite.api.view import Row
from cinder_lite.api.views.services import VOLUME, state
from cinder_lite.api.views.volumes import time
from cinder_lite.db import services, volumes

SCHEDULER = "cinder-scheduler"
_CLUSTER_FILTERS = ("name", "binary", "is_up", "disabled", "num_hosts", "num_down_hosts")
_CLUSTER_FILTERS_SINCE_26 = ("replication_status", "frozen", "active_backend_id")


# -- hosts

def index(req: Request) -> dict[str, Any]:
    """GET /os-hosts?zone=: list the enabled services."""
    zone = req.query.get("zone")
    with req.db.read() as tx:
        rows = [row for row in services.page(tx) if not row.disabled and zone in (None, row.availability_zone)]
    return {"hosts": [{
        "host_name": row.host, "service": row.binary, "zone": row.availability_zone, "service-state": "enabled",
        "service-status": "available" if state(row, req) == "up" else "unavailable",
        "last-update": time(row.seen_at or row.updated_at)} for row in rows]}


def _volume_services(req: Request, tx: db.Transaction) -> Sequence[Row]:
    rows = services.page(tx, req.host, VOLUME)
    if not rows:
        raise errors.HostNotFound(host=req.host)
    return rows


def show(req: Request) -> dict[str, Any]:
    """GET /os-hosts/{host}: show the volumes and snapshots there, in total and by project."""
    with req.db.read() as tx:
        held = volumes.usage_by_project(tx, [row.host for row in _volume_services(req, tx)])
    held = [("(total)", *(sum(column) for column in zip(*(row[1:] for row in held), strict=True)))
            if held else ("(total)", 0, 0, 0, 0), *held]
    return {"host": [{"resource": {
        "host": req.host, "project": project, "volume_count": str(count), "total_volume_gb": str(gb),
        "snapshot_count": str(snapshots), "total_snapshot_gb": str(snapshot_gb)}}
        for project, count, gb, snapshots, snapshot_gb in held]}


@db.retried
def update(req: Request) -> dict[str, Any]:
    """PUT /os-hosts/{host}: enable or disable the volume services there."""
    disabled = req.document["status"] == "disable"
    with req.db.write() as tx:
        for row in _volume_services(req, tx):
            services.switch(tx, VOLUME, row.host, disabled=disabled, disabled_reason=None)
    return {"host": req.host, "status": "disabled" if disabled else "enabled"}


# -- clusters: services never share a backend, so there are none

def list_clusters(req: Request) -> dict[str, Any]:
    """GET /clusters and /clusters/detail: an empty list."""
    known = _CLUSTER_FILTERS + (_CLUSTER_FILTERS_SINCE_26 if req.at("3.26") else ())
    unknown = sorted(set(req.filters()) - set(known))
    if unknown:
        raise errors.InvalidInput(reason=f"Invalid filters {', '.join(unknown)}. Valid filters: {', '.join(known)}.")
    return {"clusters": []}


def show_cluster(req: Request) -> None:
    """GET /clusters/{name}: not found, as there are no clusters."""
    raise errors.ClusterNotFound(name=req.name)


def switch_cluster(req: Request) -> None:
    """PUT /clusters/enable and /clusters/disable: not found, as there are no clusters."""
    raise errors.ClusterNotFound(name=req.document["name"])


# -- workers

def clean_up(req: Request) -> dict[str, list[dict[str, Any]]]:
    """POST /workers/cleanup: list the services whose jobs other services resume, and those whose jobs wait for them.

    Nothing is started: a job whose lease has expired is resumed by any service that can reach its data.
    """
    body = req.document or {}
    if body.get("cluster_name"):
        raise errors.InvalidInput(reason=f"There is no cluster {body['cluster_name']}.")
    up = _flag(body, "is_up")
    disabled = _flag(body, "disabled")
    with req.db.read() as tx:
        rows = services.page(tx, body.get("host"), body.get("binary"))
        place = volumes.host_of(tx, body["resource_id"]) if body.get("resource_id") else None
    if place == "":
        raise errors.InvalidInput(reason=f"There is no resource {body['resource_id']} that is on a host.")
    other_scheduler = any(row.binary == SCHEDULER and state(row, req) == "up" for row in rows)
    found: dict[str, list[dict[str, Any]]] = {"cleaning": [], "unavailable": []}
    for row in rows:
        is_up = state(row, req) == "up"
        wanted = (is_up == bool(up) and disabled in (None, row.disabled)
                  and str(body.get("service_id") or row.id) == str(row.id)
                  and (place is None or place.partition("#")[0] == row.host))
        if wanted:
            resumed = is_up or (row.binary == SCHEDULER and other_scheduler)
            found["cleaning" if resumed else "unavailable"].append({
                "id": row.id, "host": row.host, "binary": row.binary, "cluster_name": row.cluster_name})
    return found


def _flag(body: Mapping[str, Any], key: str) -> bool | None:
    value = body.get(key)
    return None if value is None else is_true(value)
