"""Handles /snapshots, except their metadata."""

from cinder_lite import errors
from cinder_lite.api import filters, pages
from cinder_lite.api.body import is_true, names
from cinder_lite.api.pages import Page
from cinder_lite.api.request import Request
from cinder_lite.api.view import Row
from cinder_lite.db import snapshots

FORCE_UNTIL = "3.66"


def create(req: Request) -> Row:
    """POST /snapshots: create a snapshot of a volume."""
    body = req.body
    force = body.get("force")
    in_use_too = force is not None and is_true(force)
    # From 3.66 on a volume in use needs no force, and `false` is not accepted.
    if req.at(FORCE_UNTIL):
        if force is not None and not in_use_too:
            raise errors.InvalidInput(reason="force cannot be false from 3.66 on: leave it out.")
        in_use_too = True
    return req.snapshots.create(req.ctx, body["volume_id"], metadata=body.get("metadata") or {}, in_use_too=in_use_too,
                                **names(body))


def show(req: Request) -> Row:
    """GET /snapshots/{snapshot_id}: show a snapshot."""
    return req.snapshots.get(req.ctx, req.snapshot_id)


def index(req: Request) -> Page:
    """GET /snapshots and /snapshots/detail: list snapshots."""
    return pages.read(req, snapshots.page, filters.clauses(req, "snapshot"),
                      snapshots.visible_to(req.ctx, req.all_projects), snapshots.count, req.paging(name_since="3.30"))


def update(req: Request) -> Row:
    """PUT /snapshots/{snapshot_id}: change name and description."""
    return req.snapshots.update(req.ctx, req.snapshot_id, **names(req.body, given_only=True))


def delete(req: Request) -> None:
    """DELETE /snapshots/{snapshot_id}: delete a snapshot."""
    req.snapshots.delete(req.ctx, req.snapshot_id)


# -- actions

def reset_status(req: Request) -> None:
    """os-reset_status: set the status without any other change."""
    req.snapshots.reset_status(req.ctx, req.snapshot_id, req.body["status"].lower())


def force_delete(req: Request) -> None:
    """os-force_delete: delete a snapshot in any status."""
    req.snapshots.delete(req.ctx, req.snapshot_id, force=True)


def update_status(req: Request) -> None:
    """os-update_snapshot_status: record the status that Nova reports of a snapshot that it creates."""
    req.snapshots.record_status(req.ctx, req.snapshot_id, req.body["status"], req.body.get("progress"))
