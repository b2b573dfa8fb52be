"""Handles /manageable_volumes and /manageable_snapshots, and their former paths."""

from collections.abc import Mapping
from typing import Any

from cinder_lite import errors
from cinder_lite.api.body import is_true, names
from cinder_lite.api.clusters import place
from cinder_lite.api.pages import Page
from cinder_lite.api.request import Request
from cinder_lite.api.view import Row


def _host(req: Request, given: Mapping[str, Any]) -> str:
    """The host or cluster that a body or a query names. Raises InvalidInput."""
    host = place(req, given)
    if host is None:
        raise errors.InvalidInput(reason="Exactly one host is needed, as host@backend or host@backend#pool.")
    return host


def manage_volume(req: Request) -> Row:
    """POST /manageable_volumes: manage a volume that exists on a backend."""
    body = req.body
    req.attached, req.consistency_groups = {}, set()
    try:
        return req.management.manage(
            req.ctx, _host(req, body), body["ref"], body.get("volume_type"), metadata=body.get("metadata") or {},
            bootable=is_true(body.get("bootable") or False), availability_zone=body.get("availability_zone"),
            **names(body))
    except errors.ServiceUnknown as error:
        raise errors.BadRequest(str(error)) from error


def manage_snapshot(req: Request) -> Row:
    """POST /manageable_snapshots: manage a snapshot that a volume has on its backend."""
    body = req.body
    return req.management.manage_snapshot(req.ctx, body["volume_id"], body["ref"],
                                          metadata=body.get("metadata") or {}, **names(body))


def list_volumes(req: Request) -> Page:
    """GET /manageable_volumes and /manageable_volumes/detail: list the manageable volumes of a backend."""
    return _page(req, "volume")


def list_snapshots(req: Request) -> Page:
    """GET /manageable_snapshots and /manageable_snapshots/detail: list the manageable snapshots."""
    return _page(req, "snapshot")


def unmanage_volume(req: Request) -> None:
    """os-unmanage: remove the record of a volume, and keep its data."""
    req.management.unmanage(req.ctx, req.volume_id)


def unmanage_snapshot(req: Request) -> None:
    """os-unmanage: remove the record of a snapshot, and keep its data."""
    req.management.unmanage_snapshot(req.ctx, req.snapshot_id)


def _page(req: Request, kind: str) -> Page:
    """The page of the driver's findings that the query requests."""
    paging = req.paging()
    found = req.management.manageable(req.ctx, kind, _host(req, req.query))
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


def _text(one: dict[str, Any]) -> str:
    return next(iter(one["reference"].values()), "")
