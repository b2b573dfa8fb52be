"""Handles /backups."""

import functools
from typing import Any

from cinder_lite import errors
from cinder_lite.api import filters, pages
from cinder_lite.api.body import is_true, names
from cinder_lite.api.pages import Page
from cinder_lite.api.request import Request
from cinder_lite.api.view import Row
from cinder_lite.db import backups


def create(req: Request) -> Row:
    """POST /backups: back up a volume or a snapshot."""
    body = req.body
    return req.backups.create(
        req.ctx, body["volume_id"], body.get("snapshot_id"), container=body.get("container") or None,
        incremental=is_true(body.get("incremental", False)), force=is_true(body.get("force", False)),
        metadata=body.get("metadata") or {}, zone=body.get("availability_zone"), **names(body))


def show(req: Request) -> Row:
    """GET /backups/{backup_id}: show a backup."""
    return req.backups.get(req.ctx, req.backup_id)


def index(req: Request) -> Page:
    """GET /backups: list backups."""
    return _list(req, backups.SUMMARY)


def detail(req: Request) -> Page:
    """GET /backups/detail: list backups with all fields."""
    return _list(req, backups.ROW)


def _list(req: Request, query: Any) -> Page:
    req.check_all_tenants()
    return pages.read(req, functools.partial(backups.page, query=query), filters.clauses(req, "backup"),
                      backups.visible_to(req.ctx, req.all_projects), backups.count, req.paging(name_since="3.37"))


def update(req: Request) -> Row:
    """PUT /backups/{backup_id}: rename, describe, replace the metadata."""
    body = req.body or {}
    values = names(body, given_only=True)
    if "metadata" in body:
        values["metadata"] = body["metadata"]
    if not values:
        raise errors.BadRequest("The backup needs at least one of name, description and metadata.")
    return req.backups.update(req.ctx, req.backup_id, **values)


def delete(req: Request) -> None:
    """DELETE /backups/{backup_id}: delete a backup."""
    req.backups.delete(req.ctx, req.backup_id)


def restore(req: Request) -> dict[str, Any]:
    """POST /backups/{backup_id}/restore: to an existing volume or a new one."""
    body = req.body or {}
    row, volume = req.backups.restore(req.ctx, req.backup_id, body.get("volume_id"), body.get("name"))
    return {"restore": {"backup_id": row.id, "volume_id": volume.id, "volume_name": volume.name}}


def export_record(req: Request) -> dict[str, Any]:
    """GET /backups/{backup_id}/export_record: export the record of a backup."""
    service, url = req.backups.export_record(req.ctx, req.backup_id)
    return {"backup-record": {"backup_service": service, "backup_url": url}}


def import_record(req: Request) -> Row:
    """POST /backups/import_record: import the record of a backup."""
    return req.backups.import_record(req.ctx, req.body["backup_service"], req.body["backup_url"])


def reset_status(req: Request) -> None:
    """os-reset_status: set the status without any other change."""
    req.backups.reset_status(req.ctx, req.backup_id, req.body["status"].lower())


def force_delete(req: Request) -> None:
    """os-force_delete: delete a backup in any status."""
    req.backups.delete(req.ctx, req.backup_id, force=True)
