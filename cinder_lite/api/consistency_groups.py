"""Handles /consistencygroups and /cgsnapshots, the legacy API of groups of one type."""

from cinder_lite import errors
from cinder_lite.api import groups as handlers
from cinder_lite.api import pages
from cinder_lite.api.body import is_true, names
from cinder_lite.api.pages import Page
from cinder_lite.api.request import Request
from cinder_lite.api.view import Row
from cinder_lite.db import groups

EMPTY_NAMES_SINCE = "3.6"


def create(req: Request) -> Row:
    """POST /consistencygroups: create a consistency group."""
    body = req.body
    try:
        return req.groups.create(req.ctx, type_name_or_id=groups.LEGACY_TYPE,
                                 type_names_or_ids=handlers.ids(body["volume_types"]),
                                 zone=body.get("availability_zone") or None, legacy=True, **names(body))
    except errors.GroupTypeNotFound as error:
        raise errors.BadRequest(f"Consistency groups need the group type {groups.LEGACY_TYPE}, which has "
                                "been deleted: an administrator has to create it again.") from error


def create_from(req: Request) -> Row:
    """POST /consistencygroups/create_from_src: copy a consistency group or a cgsnapshot."""
    body = req.body
    return req.groups.create_from(req.ctx, group_snapshot_id=body.get("cgsnapshot_id"),
                                  source_group_id=body.get("source_cgid"), **names(body))


def show(req: Request) -> Row:
    """GET /consistencygroups/{id}: show a consistency group."""
    with req.db.read() as tx:
        return groups.get(tx, req.ctx, req.group_id)


def index(req: Request) -> Page:
    """GET /consistencygroups and /consistencygroups/detail: list consistency groups."""
    return pages.read(req, groups.page, [], groups.visible_to(req.ctx, req.all_projects))


def update(req: Request) -> None:
    """PUT /consistencygroups/{id}/update: from 3.6 on the name may be empty."""
    body = req.body
    add, remove = handlers.ids(body.get("add_volumes")), handlers.ids(body.get("remove_volumes"))
    values = {key: value for key, value in names(body, given_only=True).items()
              if value or (value is not None and req.at(EMPTY_NAMES_SINCE))}
    if not values and not add and not remove:
        raise errors.BadRequest("The consistency group needs at least one of name, description, add_volumes and "
                                "remove_volumes.")
    req.groups.update(req.ctx, req.group_id, add, remove, **values)


def delete(req: Request) -> None:
    """POST /consistencygroups/{id}/delete and DELETE: with force its volumes are deleted with it."""
    inner = (req.document or {}).get("consistencygroup") or {}
    if not isinstance(inner, dict):
        raise errors.BadRequest('The body is empty, or {"consistencygroup": {"force": true or false}}.')
    req.groups.delete(req.ctx, req.group_id, is_true(inner.get("force", False)))


def create_snapshot(req: Request) -> Row:
    """POST /cgsnapshots: create a cgsnapshot."""
    return req.group_snapshots.create(req.ctx, req.body["consistencygroup_id"], **names(req.body))


def show_snapshot(req: Request) -> Row:
    """GET /cgsnapshots/{id}: show a cgsnapshot."""
    with req.db.read() as tx:
        return groups.get_snapshot(tx, req.ctx, req.group_snapshot_id)


def list_snapshots(req: Request) -> Page:
    """GET /cgsnapshots and /cgsnapshots/detail: list cgsnapshots."""
    return pages.read(req, groups.page_of_snapshots, [], groups.SNAPSHOTS.visible_to(req.ctx, req.all_projects))


def delete_snapshot(req: Request) -> None:
    """DELETE /cgsnapshots/{id}: delete a cgsnapshot."""
    req.group_snapshots.delete(req.ctx, req.group_snapshot_id)
