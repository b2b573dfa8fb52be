"""Handlers of /snapshots."""

from cinder_lite import errors
from cinder_lite.api import filters, pages
from cinder_lite.api.body import is_true, names
from cinder_lite.db import snapshots

FORCE_UNTIL = "3.66"


def create(req):
    """POST /snapshots: keep a volume's present content."""
    body = req.body
    force = body.get("force")
    in_use_too = force is not None and is_true(force)
    # From 3.66 on a volume in use needs no force, and refusing it is not understood any more.
    if req.at(FORCE_UNTIL):
        if force is not None and not in_use_too:
            raise errors.InvalidInput(reason="force cannot be false from 3.66 on: leave it out.")
        in_use_too = True
    return req.snapshots.create(req.ctx, body["volume_id"], metadata=body.get("metadata") or {}, in_use_too=in_use_too,
                                **names(body))


def show(req):
    """GET /snapshots/{snapshot_id}"""
    return req.snapshots.get(req.ctx, req.snapshot_id)


def index(req):
    """GET /snapshots and /snapshots/detail"""
    where = filters.clauses(req, "snapshot")
    paging, visible = req.paging(name_since="3.30"), snapshots.visible_to(req.ctx, req.all_projects)
    with req.db.read() as tx:
        rows = snapshots.page(tx, where, paging, visible)
        count = snapshots.count(tx, where, visible) if pages.wants_count(req) else None
    return pages.page(rows, paging, count)


def update(req):
    """PUT /snapshots/{snapshot_id}: rename, describe."""
    return req.snapshots.update(req.ctx, req.snapshot_id, **names(req.body, given_only=True))


def delete(req):
    """DELETE /snapshots/{snapshot_id}"""
    req.snapshots.delete(req.ctx, req.snapshot_id)


# -- metadata

def show_metadata(req):
    """GET /snapshots/{snapshot_id}/metadata"""
    return {"metadata": show(req).metadata}


def _change(req, change):
    return req.snapshots.change_metadata(req.ctx, req.snapshot_id, change)


def add_metadata(req):
    """POST /snapshots/{snapshot_id}/metadata: add to it."""
    return {"metadata": _change(req, lambda present: present | req.body)}


def replace_metadata(req):
    """PUT /snapshots/{snapshot_id}/metadata"""
    return {"metadata": _change(req, lambda present: dict(req.body))}


def show_meta(req):
    """GET /snapshots/{snapshot_id}/metadata/{key}"""
    return {"meta": {req.key: pages.present(show(req).metadata, req.key, "snapshot", req.snapshot_id)}}


def set_meta(req):
    """PUT /snapshots/{snapshot_id}/metadata/{key}"""
    pages.same_key(req)
    _change(req, lambda present: present | req.body)
    return {"meta": req.body}


def delete_meta(req):
    """DELETE /snapshots/{snapshot_id}/metadata/{key}"""
    def without(present):
        pages.present(present, req.key, "snapshot", req.snapshot_id)
        return {key: value for key, value in present.items() if key != req.key}

    _change(req, without)


# -- actions

def reset_status(req):
    """os-reset_status: write the status by hand."""
    req.snapshots.reset_status(req.ctx, req.snapshot_id, req.body["status"].lower())


def force_delete(req):
    """os-force_delete: delete whatever the status."""
    req.snapshots.delete(req.ctx, req.snapshot_id, force=True)


def update_status(req):
    """os-update_snapshot_status: what Nova reports of a snapshot it makes."""
    req.snapshots.record_status(req.ctx, req.snapshot_id, req.body["status"], req.body.get("progress"))
