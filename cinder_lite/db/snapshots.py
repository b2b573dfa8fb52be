"""Rows of snapshots: reading, listing and filtering them."""

import sqlalchemy as sa

from cinder_lite import errors
from cinder_lite.db import listing, schema

S = schema.snapshots
ROW = sa.select(S)
SUMMARY = ROW
_BY_ID = ROW.where(S.c.id == sa.bindparam("id"))

LISTING = listing.Listing(S, frozenset((
    "id", "status", "size", "name", "created_at", "updated_at", "volume_id", "project_id", "user_id", "description")))


def get(tx, ctx, id):
    """The snapshot, if the asker may see it. Raises SnapshotNotFound."""
    row = find(tx, id)
    if row is None or not ctx.sees(row.project_id):
        raise errors.SnapshotNotFound(id=id)
    return row


def find(tx, id):
    return tx.execute(_BY_ID, {"id": id}).first()


def page(tx, where, paging, visible):
    return LISTING.page(tx, ROW, where, paging, visible)


def count(tx, where, visible):
    return tx.execute(sa.select(sa.func.count()).select_from(S).where(visible, *where)).scalar()


def visible_to(ctx, all_projects):
    if ctx.is_admin and all_projects:
        return sa.true()
    return S.c.project_id == ctx.project_id


def of_volume(tx, volume_id, locked=False):
    """The volume's snapshots, newest first; `locked` until the transaction ends."""
    query = ROW.where(S.c.volume_id == volume_id).order_by(S.c.created_at.desc(), S.c.id.desc())
    return tx.execute(query.with_for_update() if locked else query).all()
