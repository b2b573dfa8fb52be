"""Handlers of /groups and /group_snapshots."""

from cinder_lite import errors
from cinder_lite.api import filters, pages
from cinder_lite.api.body import is_true, names
from cinder_lite.db import groups

LIST_VOLUMES_SINCE, SNAPSHOT_FILTERS_SINCE = "3.25", "3.29"


def ids(text):
    """The ids of a list whose members are parted by commas."""
    return [word.strip() for word in (text or "").split(",") if word.strip()]


def _no_legacy(row):
    """Consistency groups are looked at by their own API."""
    if row.type_name == groups.LEGACY_TYPE:
        raise errors.BadRequest(f"{row.id} is of the type {groups.LEGACY_TYPE}: use /consistencygroups and /cgsnapshots.")
    return row


def _ordinary(req, id, get=groups.get):
    """Raise BadRequest for a consistency group, or what `get` finds of one."""
    with req.db.read() as tx:
        _no_legacy(get(tx, req.ctx, id))


# -- groups

def create(req):
    """POST /groups"""
    body = req.body
    return req.groups.create(req.ctx, type_word=body["group_type"], type_words=body["volume_types"],
                             zone=body.get("availability_zone") or None, **names(body))


def create_from(req):
    """create-from-src: a group of copies."""
    snapshot, source = req.body.get("group_snapshot_id"), req.body.get("source_group_id")
    if bool(snapshot) != bool(source):
        _ordinary(req, snapshot or source, groups.get_snapshot if snapshot else groups.get)
    return req.groups.create_from(req.ctx, group_snapshot_id=snapshot, source_group_id=source, **names(req.body))


def _members(req, tx, rows):
    wanted = req.at(LIST_VOLUMES_SINCE) and req.flag("list_volume")
    return groups.volume_ids(tx, [row.id for row in rows]) if wanted else None


def show(req):
    """GET /groups/{group_id}"""
    with req.db.read() as tx:
        row = _no_legacy(groups.get(tx, req.ctx, req.group_id))
        req.members = _members(req, tx, [row])
    return row


def index(req):
    """GET /groups and /groups/detail"""
    req.flag("list_volume")
    wanted = {key: value for key, value in req.filters().items() if key != "list_volume"}
    where = [groups.ordinary(), *filters.clauses(req, "group", wanted)]
    paging, visible = req.paging(), groups.visible_to(req.ctx, req.all_projects)
    with req.db.read() as tx:
        rows = groups.page(tx, where, paging, visible)
        req.members = _members(req, tx, rows)
    return pages.page(rows, paging)


def update(req):
    """PUT /groups/{group_id}: rename, let volumes join and leave."""
    body = req.body
    values = {key: value for key, value in names(body, given_only=True).items() if value is not None}
    add, remove = ids(body.get("add_volumes")), ids(body.get("remove_volumes"))
    if not values and not add and not remove:
        raise errors.BadRequest("The group needs at least one of name, description, add_volumes and remove_volumes.")
    _ordinary(req, req.group_id)
    req.groups.update(req.ctx, req.group_id, add, remove, **values)


def delete(req):
    """delete: the group, with its volumes if it is said so."""
    _ordinary(req, req.group_id)
    req.groups.delete(req.ctx, req.group_id, is_true(req.body.get("delete-volumes", False)))


def reset_status(req):
    """reset_status of a group"""
    req.groups.reset_status(req.ctx, req.group_id, req.body["status"].lower())


def replicate(req):
    """enable_replication, disable_replication, failover_replication: no backend replicates."""
    with req.db.read() as tx:
        row = groups.get(tx, req.ctx, req.group_id)
    raise errors.InvalidState(kind="group", reason=f"{row.id} is on {row.host}, which does not replicate",
                              public=f"Invalid group: {row.id} is on storage that does not replicate")


def list_targets(req):
    """list_replication_targets"""
    replicate(req)


# -- group snapshots

def create_snapshot(req):
    """POST /group_snapshots"""
    _ordinary(req, req.body["group_id"])
    return req.group_snapshots.create(req.ctx, req.body["group_id"], **names(req.body))


def show_snapshot(req):
    """GET /group_snapshots/{id}"""
    with req.db.read() as tx:
        return _no_legacy(groups.get_snapshot(tx, req.ctx, req.group_snapshot_id))


def list_snapshots(req):
    """GET /group_snapshots and /group_snapshots/detail"""
    paging = req.paging()
    where = [groups.ordinary(groups.S), *(filters.clauses(req, "group_snapshot") if req.at(SNAPSHOT_FILTERS_SINCE) else ())]
    visible = groups.visible_to(req.ctx, req.all_projects, groups.S)
    with req.db.read() as tx:
        return pages.page(groups.page_of_snapshots(tx, where, paging, visible), paging)


def delete_snapshot(req):
    """DELETE /group_snapshots/{id}"""
    _ordinary(req, req.group_snapshot_id, groups.get_snapshot)
    req.group_snapshots.delete(req.ctx, req.group_snapshot_id)


def reset_snapshot_status(req):
    """reset_status of a group snapshot"""
    req.group_snapshots.reset_status(req.ctx, req.group_snapshot_id, req.body["status"].lower())
