"""Handles /os-hosts and /workers."""

from collections.abc import Mapping, Sequence
from typing import Any

from cinder_lite import db, errors
from cinder_lite.api.body import is_true
from cinder_lite.api.clusters import place
from cinder_lite.api.request import Request
from cinder_lite.api.view import Row
from cinder_lite.api.views.services import VOLUME, state
from cinder_lite.api.views.volumes import time
from cinder_lite.db import members, services, volumes

SCHEDULER = "cinder-scheduler"


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
    rows = [*services.page(tx, req.host, VOLUME), *members.of_host(tx, req.host)]
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


# -- workers

def clean_up(req: Request) -> dict[str, list[dict[str, Any]]]:
    """POST /workers/cleanup: list the services whose jobs other services resume, and those whose jobs wait for them.

    Nothing is started: a job whose lease has expired is resumed by any service that can reach its data.
    """
    body = req.document or {}
    cluster = place(req, {"cluster": body.get("cluster_name")})
    up = _flag(body, "is_up")
    disabled = _flag(body, "disabled")
    with req.db.read() as tx:
        everyone = services.page(tx)
        rows = services.page(tx, body.get("host"), body.get("binary"))
        held_by = volumes.host_of(tx, body["resource_id"]) if body.get("resource_id") else None
    if held_by == "":
        raise errors.InvalidInput(reason=f"There is no resource {body['resource_id']} that is on a host.")
    # Those whose jobs any of them takes: the schedulers, and the members of each cluster.
    sharing = {row.cluster_name or row.binary for row in everyone if state(row, req) == "up"
               and (row.cluster_name or row.binary == SCHEDULER)}
    found: dict[str, list[dict[str, Any]]] = {"cleaning": [], "unavailable": []}
    for row in rows:
        is_up = state(row, req) == "up"
        wanted = (is_up == bool(up) and disabled in (None, row.disabled)
                  and str(body.get("service_id") or row.id) == str(row.id)
                  and cluster in (None, row.cluster_name)
                  and (held_by is None or held_by.partition("#")[0] in (row.host, row.cluster_name)))
        if wanted:
            resumed = is_up or (row.cluster_name or row.binary) in sharing
            found["cleaning" if resumed else "unavailable"].append({
                "id": row.id, "host": row.host, "binary": row.binary, "cluster_name": row.cluster_name})
    return found


def _flag(body: Mapping[str, Any], key: str) -> bool | None:
    value = body.get(key)
    return None if value is None else is_true(value)
