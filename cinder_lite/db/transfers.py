"""Reads and writes the rows of transfers of volumes between projects."""

from typing import Any

import sqlalchemy as sa

from cinder_lite import context, db, errors
from cinder_lite.db import listing, schema

T = schema.transfers
ROW = sa.select(T)
LISTING = listing.Listing(T, frozenset(("id", "name", "volume_id", "created_at")))


def find(tx: db.Transaction, id: str) -> db.Row:
    """The transfer, whatever its project. Raises TransferNotFound."""
    row = tx.execute(ROW.where(T.c.id == id)).first()
    if row is None:
        raise errors.TransferNotFound(id=id)
    return row


def get(tx: db.Transaction, ctx: context.Context, id: str) -> db.Row:
    """The transfer, if it is visible to the requester. Raises TransferNotFound."""
    row = find(tx, id)
    if not ctx.sees(row.project_id):
        raise errors.TransferNotFound(id=id)
    return row


def page(tx: db.Transaction, name: str | None, paging: listing.Paging, visible: listing.Condition) -> list[Any]:
    where = [] if name is None else [T.c.name == name]
    return LISTING.page(tx, ROW, where, paging, visible)


def visible_to(ctx: context.Context, all_projects: bool) -> listing.Condition:
    return sa.true() if ctx.is_admin and all_projects else T.c.project_id == ctx.project_id


def insert(tx: db.Transaction, row: dict[str, Any]) -> None:
    tx.execute(sa.insert(T), row)


def delete(tx: db.Transaction, id: str) -> bool:
    """False if there is no such transfer."""
    return tx.execute(sa.delete(T).where(T.c.id == id)).rowcount == 1


def delete_of_volume(tx: db.Transaction, volume_id: str) -> None:
    tx.execute(sa.delete(T).where(T.c.volume_id == volume_id))
