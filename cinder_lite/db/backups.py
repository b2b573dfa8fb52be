"""Rows of backups: reading, listing and filtering them."""

import sqlalchemy as sa

from cinder_lite import errors, states
from cinder_lite.db import listing, schema

B = schema.backups
_CHILD = schema.backups.alias("child")
#: Not as EXISTS, for which PostgreSQL would read the whole table, however few backups are shown.
HAS_CHILDREN = sa.select(_CHILD.c.id).where(_CHILD.c.parent_id == B.c.id).limit(1).scalar_subquery().is_not(None)
ROW = sa.select(B, HAS_CHILDREN.label("has_dependent_backups"))
SUMMARY = sa.select(B.c.id, B.c.name)
_BY_ID = ROW.where(B.c.id == sa.bindparam("id"))

LISTING = listing.Listing(B, frozenset((
    "id", "status", "size", "name", "created_at", "updated_at", "volume_id", "project_id", "user_id", "description",
    "availability_zone", "data_timestamp")))


def get(tx, ctx, id):
    """The backup, if the asker may see it. Raises BackupNotFound."""
    row = find(tx, id)
    if row is None or not ctx.sees(row.project_id):
        raise errors.BackupNotFound(id=id)
    return row


def find(tx, id):
    return tx.execute(_BY_ID, {"id": id}).first()


def page(tx, query, where, paging, visible):
    return LISTING.page(tx, query, where, paging, visible)


def count(tx, where, visible):
    return tx.execute(sa.select(sa.func.count()).select_from(B).where(visible, *where)).scalar()


def visible_to(ctx, all_projects):
    if ctx.is_admin and all_projects:
        return sa.true()
    return B.c.project_id == ctx.project_id


def latest(tx, volume_id, project_id, before=None):
    """The newest available backup of the volume in that project, by the time of its data."""
    query = ROW.where(B.c.volume_id == volume_id, B.c.project_id == project_id, B.c.status == states.AVAILABLE)
    if before is not None:
        query = query.where(B.c.data_timestamp < before)
    return tx.execute(query.order_by(B.c.data_timestamp.desc()).limit(1)).first()


def others_in(tx, backup):
    """The other backups in the backup's container."""
    return tx.execute(ROW.where(B.c.container == backup.container, B.c.id != backup.id)).all()


def chain(tx, backup):
    """The backup and its ancestors, newest first, as far as there are any."""
    rows, known = [backup], {None, backup.id}
    while rows[-1].parent_id not in known and (parent := find(tx, rows[-1].parent_id)) is not None:
        rows.append(parent)
        known.add(parent.id)
    return rows
