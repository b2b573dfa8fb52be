"""Handlers of /manageable_volumes and /manageable_snapshots, and of their former paths."""

from cinder_lite import errors
from cinder_lite.api.body import is_true, names
from cinder_lite.api.route import Page


def _host(req, given):
    """The host that a body or a query names; clusters are none of ours."""
    host, cluster = given.get("host"), given.get("cluster")
    if cluster and not host:
        raise errors.InvalidInput(reason=f"There is no cluster {cluster}; name a host.")
    if not host or cluster:
        raise errors.InvalidInput(reason="Exactly one host is needed, as host@backend or host@backend#pool.")
    return host


def manage_volume(req):
    """POST /manageable_volumes: take a volume over that lies on a backend."""
    body = req.body
    req.attached, req.consistency_groups = {}, set()
    try:
        return req.managing.take_over(
            req.ctx, _host(req, body), body["ref"], body.get("volume_type"), metadata=body.get("metadata") or {},
            bootable=is_true(body.get("bootable") or False), availability_zone=body.get("availability_zone"),
            **{"name": None, "description": None, **names(body)})
    except errors.ServiceUnknown as error:
        raise errors.BadRequest(str(error)) from error


def manage_snapshot(req):
    """POST /manageable_snapshots: take a snapshot over that a volume has on its backend."""
    body = req.body
    return req.managing.take_over_snapshot(req.ctx, body["volume_id"], body["ref"],
                                           metadata=body.get("metadata") or {},
                                           **{"name": None, "description": None, **names(body)})


def list_volumes(req):
    """GET /manageable_volumes and /manageable_volumes/detail"""
    return _page(req, "volume")


def list_snapshots(req):
    """GET /manageable_snapshots and /manageable_snapshots/detail"""
    return _page(req, "snapshot")


def unmanage_volume(req):
    """os-unmanage: forget a volume, and leave its data."""
    req.managing.unmanage(req.ctx, req.volume_id)


def unmanage_snapshot(req):
    """os-unmanage: forget a snapshot, and leave its data."""
    req.managing.unmanage_snapshot(req.ctx, req.snapshot_id)


def _page(req, kind):
    """The part of what was found that the query asks for."""
    paging = req.paging()
    found = req.managing.found(req.ctx, kind, _host(req, req.query))
    for key, direction in reversed(paging.sort or (("reference", "desc"),)):
        if key not in ("reference", "size"):
            raise errors.InvalidInput(reason=f"These can be sorted by reference and size, not by {key}.")
        found.sort(key=lambda one, key=key: _text(one) if key == "reference" else one["size"],
                   reverse=direction == "desc")
    begin = paging.offset
    if paging.marker is not None:
        markers = [_text(one) for one in found]
        if paging.marker not in markers:
            raise errors.InvalidInput(reason=f"The marker {paging.marker} is not the reference of any.")
        begin += markers.index(paging.marker) + 1
    return Page(found[begin:begin + paging.limit])


def _text(one):
    return next(iter(one["reference"].values()), "")
