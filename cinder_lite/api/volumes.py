"""Handles /volumes, except the creation of volumes and their metadata."""

from collections.abc import Sequence
from typing import Any

from cinder_lite import db, errors, states
from cinder_lite.api import filters, pages
from cinder_lite.api.body import names
from cinder_lite.api.pages import Page
from cinder_lite.api.request import Request
from cinder_lite.api.view import Row
from cinder_lite.db import attachments, groups, volumes


def show(req: Request) -> Row:
    """GET /volumes/{volume_id}: show a volume."""
    with req.db.read() as tx:
        row = volumes.shown(tx, req.ctx, req.volume_id)
        _load_related(req, tx, [row])
    return row


def _load_related(req: Request, tx: db.Transaction, rows: Sequence[Row]) -> None:
    """Load what views show of volumes beside their rows: one statement each, where a volume of the page has any."""
    req.attached = attachments.of_volumes(tx, [row.id for row in rows if row.attach_status != states.DETACHED])
    req.consistency_groups = groups.legacy(tx, {row.group_id for row in rows if row.group_id is not None})


def index(req: Request) -> Page:
    """GET /volumes: list volumes."""
    return _list(req, volumes.SUMMARY, detailed=False)


def detail(req: Request) -> Page:
    """GET /volumes/detail: list volumes with all fields."""
    return _list(req, volumes.SHOWN, detailed=True)


def _list(req: Request, query: Any, detailed: bool) -> Page:
    req.check_all_tenants()
    where = filters.clauses(req, "volume")
    paging, visible = req.paging(), volumes.visible_to(req.ctx, req.all_projects)
    with req.db.read() as tx:
        rows = volumes.page(tx, where, paging, visible, query)
        if detailed:
            _load_related(req, tx, rows)
        count = volumes.count(tx, where, visible) if pages.wants_count(req) else None
    return pages.page(rows, paging, count)


def summary(req: Request) -> dict[str, Any]:
    """GET /volumes/summary: show the number of volumes and their total size."""
    req.flag("all_tenants")
    visible = volumes.visible_to(req.ctx, req.all_projects)
    with req.db.read() as tx:
        count, size = volumes.summary(tx, visible)
        shown = {"total_count": count, "total_size": int(size)}
        if req.at("3.36"):
            shown["metadata"] = {}
            for key, value in volumes.metadata_values(tx, visible):
                shown["metadata"].setdefault(key, []).append(value)
    return {"volume-summary": shown}


def update(req: Request) -> Row:
    """PUT /volumes/{volume_id}: change name and description, replace the metadata."""
    values = names(req.body, given_only=True)
    if "metadata" in req.body:
        values["metadata"] = req.body["metadata"]
    if not values and req.at("3.53"):
        raise errors.BadRequest("The volume needs at least one of name, description and metadata.")
    req.volumes.update(req.ctx, req.volume_id, **values)
    return show(req)


def delete(req: Request) -> None:
    """DELETE /volumes/{volume_id}?cascade=&force=: delete a volume."""
    force = req.at("3.23") and req.flag("force")
    if force:
        req.enforce("volume:force_delete")
    req.volumes.delete(req.ctx, req.volume_id, cascade=req.flag("cascade"), force=force)


# -- encryption

def encryption(req: Request) -> dict[str, Any]:
    """GET /volumes/{volume_id}/encryption: of an unencrypted type only a null key is shown."""
    row = req.volumes.get(req.ctx, req.volume_id)
    shown = {"encryption_key_id": row.encryption_key_id}
    if row.type_encryption is not None:
        shown |= {key: row.type_encryption[key] for key in ("control_location", "cipher", "key_size", "provider")}
    return shown


def encryption_value(req: Request) -> str:
    """GET /volumes/{volume_id}/encryption/{key}: the value as plain text."""
    value = pages.metadata_value(encryption(req), req.key, "encryption of volume", req.volume_id)
    return "" if value is None else str(value)
