"""Rows of transfers: volumes that are on their way from one project to another."""

import sqlalchemy as sa

from cinder_lite import errors
from cinder_lite.db import listing, schema

T = schema.transfers
ROW = sa.select(T)
LISTING = listing.Listing(T, frozenset(("id", "name", "volume_id", "created_at")))


def find(tx, id):
    """The transfer, whoever asks. Raises TransferNotFound."""
    row = tx.execute(ROW.where(T.c.id == id)).first()
    if row is None:
        raise errors.TransferNotFound(id=id)
    return row


def get(tx, ctx, id):
    """The transfer, if the asker may see it. Raises TransferNotFound."""
    row = find(tx, id)
    if not ctx.sees(row.project_id):
        raise errors.TransferNotFound(id=id)
    return row


def page(tx, name, paging, visible):
    where = [] if name is None else [T.c.name == name]
    return LISTING.page(tx, ROW, where, paging, visible)


def visible_to(ctx, all_projects):
    return sa.true() if ctx.is_admin and all_projects else T.c.project_id == ctx.project_id


def insert(tx, row):
    tx.execute(sa.insert(T), row)


def delete(tx, id):
    """False when it is gone already."""
    return tx.execute(sa.delete(T).where(T.c.id == id)).rowcount == 1


def delete_of_volume(tx, volume_id):
    tx.execute(sa.delete(T).where(T.c.volume_id == volume_id))
