"""Handles POST /volumes."""

from typing import Any

from cinder_lite import errors
from cinder_lite.api.body import is_true, names
from cinder_lite.api.request import Request
from cinder_lite.api.view import Row
from cinder_lite.db import groups
from cinder_lite.volume.flows.wanted import Wanted


def create(req: Request) -> Row:
    """POST /volumes: create a volume, empty or from one source."""
    body = req.body
    if is_true(body.get("multiattach")):
        raise errors.InvalidInput(reason="A volume can be attached more than once if its type has the extra spec "
                                         "multiattach=\"<is> True\"; the key multiattach is not accepted in a request.")
    hints = req.document.get("OS-SCH-HNT:scheduler_hints") or {}
    if isinstance(body.get("size"), str) and body["size"] != str(int(body["size"])):
        raise errors.InvalidInput(reason=f"A size has no leading zeros, unlike '{body['size'][:50]}'.")
    reference, snapshot_id = body.get("imageRef") or body.get("image_id"), body.get("snapshot_id")
    image: Any = None
    if reference:
        image = req.images.find(req.ctx, reference, snapshots_too=req.at("3.46"))
        if req.at("3.46") and image.snapshot_id and not snapshot_id:
            image, snapshot_id = None, image.snapshot_id
    row = req.creation.create(req.ctx, Wanted(
        size=int(body["size"]) if body.get("size") is not None else None, hints=hints,
        type=body.get("volume_type") or None, zone=body.get("availability_zone") or None,
        snapshot_id=snapshot_id, source_volid=body.get("source_volid"), backup_id=body.get("backup_id"), image=image,
        group_id=body.get("group_id") or body.get("consistencygroup_id") or None,
        metadata=body.get("metadata") or {}, **names(body)))
    req.attached, req.consistency_groups = {}, set()
    if row.group_id is not None:
        with req.db.read() as tx:
            req.consistency_groups = groups.legacy(tx, {row.group_id})
    return row
