"""Handles /groups and /group_snapshots."""

from collections.abc import Callable, Sequence

from cinder_lite import db, errors
from cinder_lite.api import filters, pages
from cinder_lite.api.body import is_true, names
from cinder_lite.api.pages import Page
from cinder_lite.api.request import Request
from cinder_lite.api.view import Row
from cinder_lite.db import groups

LIST_VOLUMES_SINCE, SNAPSHOT_FILTERS_SINCE = "3.25", "3.29"


def ids(text: str | None) -> list[str]:
    """The ids of a comma-separated list."""
    return [part.strip() for part in (text or "").split(",") if part.strip()]


def _no_legacy(row: Row) -> Row:
    """Raise BadRequest for a consistency group, which has its own API."""
    if row.type_name == groups.LEGACY_TYPE:
        raise errors.BadRequest(f"{row.id} is of the type {groups.LEGACY_TYPE}: use /consistencygroups and "
                                "/cgsnapshots.")
    return row


def _ordinary(req: Request, id: str, get: Callable[..., Row] = groups.get) -> None:
    """Raise BadRequest when the row that `get` finds is a consistency group or a snapshot of one."""
    with req.db.read() as tx:
        _no_legacy(get(tx, req.ctx, id))


# -- groups

def create(req: Request) -> Row:
    """POST /groups: create a group."""
    body = req.body
    return req.groups.create(req.ctx, type_name_or_id=body["group_type"], type_names_or_ids=body["volume_types"],
                             zone=body.get("availability_zone") or None, **names(body))


def create_from(req: Request) -> Row:
    """create-from-src: copy a group or a group snapshot."""
    snapshot, source = req.body.get("group_snapshot_id"), req.body.get("source_group_id")
    if bool(snapshot) != bool(source):
        _ordinary(req, snapshot or source, groups.get_snapshot if snapshot else groups.get)
    return req.groups.create_from(req.ctx, group_snapshot_id=snapshot, source_group_id=source, **names(req.body))


def _members(req: Request, tx: db.Transaction, rows: Sequence[Row]) -> dict[str, list[str]] | None:
    wanted = req.at(LIST_VOLUMES_SINCE) and req.flag("list_volume")
    return groups.volume_ids(tx, [row.id for row in rows]) if wanted else None


def show(req: Request) -> Row:
    """GET /groups/{group_id}: show a group."""
    with req.db.read() as tx:
        row = _no_legacy(groups.get(tx, req.ctx, req.group_id))
        req.members = _members(req, tx, [row])
    return row


def index(req: Request) -> Page:
    """GET /groups and /groups/detail: list groups."""
    req.flag("list_volume")
    wanted = {key: value for key, value in req.filters().items() if key != "list_volume"}
    where = [groups.ordinary(), *filters.clauses(req, "group", wanted)]
    paging, visible = req.paging(), groups.visible_to(req.ctx, req.all_projects)
    with req.db.read() as tx:
        rows = groups.page(tx, where, paging, visible)
        req.members = _members(req, tx, rows)
    return pages.page(rows, paging)


def update(req: Request) -> None:
    """PUT /groups/{group_id}: rename the group, add and remove volumes."""
    body = req.body
    values = {key: value for key, value in names(body, given_only=True).items() if value is not None}
    add, remove = ids(body.get("add_volumes")), ids(body.get("remove_volumes"))
    if not values and not add and not remove:
        raise errors.BadRequest("The group needs at least one of name, description, add_volumes and remove_volumes.")
    _ordinary(req, req.group_id)
    req.groups.update(req.ctx, req.group_id, add, remove, **values)


def delete(req: Request) -> None:
    """delete: delete the group, with its volumes if delete-volumes is true."""
    _ordinary(req, req.group_id)
    req.groups.delete(req.ctx, req.group_id, is_true(req.body.get("delete-volumes", False)))


def reset_status(req: Request) -> None:
    """reset_status: set the status of a group without any other change."""
    req.groups.reset_status(req.ctx, req.group_id, req.body["status"].lower())


def replicate(req: Request) -> None:
    """enable_replication, disable_replication, failover_replication: refused, as no backend replicates."""
    with req.db.read() as tx:
        row = groups.get(tx, req.ctx, req.group_id)
    raise errors.InvalidState(kind="group", reason=f"{row.id} is on {row.host}, which does not replicate",
                              public=f"Invalid group: {row.id} is on storage that does not replicate")


def list_targets(req: Request) -> None:
    """list_replication_targets: refused, as no backend replicates."""
    replicate(req)


# -- group snapshots

def create_snapshot(req: Request) -> Row:
    """POST /group_snapshots: create a group snapshot."""
    _ordinary(req, req.body["group_id"])
    return req.group_snapshots.create(req.ctx, req.body["group_id"], **names(req.body))


def show_snapshot(req: Request) -> Row:
    """GET /group_snapshots/{id}: show a group snapshot."""
    with req.db.read() as tx:
        return _no_legacy(groups.get_snapshot(tx, req.ctx, req.group_snapshot_id))


def list_snapshots(req: Request) -> Page:
    """GET /group_snapshots and /group_snapshots/detail: list group snapshots."""
    where = [groups.ordinary(groups.S)]
    if req.at(SNAPSHOT_FILTERS_SINCE):
        where += filters.clauses(req, "group_snapshot")
    return pages.read(req, groups.page_of_snapshots, where, groups.SNAPSHOTS.visible_to(req.ctx, req.all_projects))


def delete_snapshot(req: Request) -> None:
    """DELETE /group_snapshots/{id}: delete a group snapshot."""
    _ordinary(req, req.group_snapshot_id, groups.get_snapshot)
    req.group_snapshots.delete(req.ctx, req.group_snapshot_id)


def reset_snapshot_status(req: Request) -> None:
    """reset_status: set the status of a group snapshot without any other change."""
    req.group_snapshots.reset_status(req.ctx, req.group_snapshot_id, req.body["status"].lower())
