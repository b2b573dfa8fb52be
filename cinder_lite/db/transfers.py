"""Reads and writes the rows of transfers of volumes between projects."""

from typing import Any

import sqlalchemy as sa

from cinder_lite import db, errors
from cinder_lite.db import listing, schema

T = schema.transfers
LISTING = listing.Resource(T, frozenset(("id", "name", "volume_id", "created_at")), sa.select(T),
                           errors.TransferNotFound)
find, get, visible_to = LISTING.existing, LISTING.get, LISTING.visible_to


def page(tx: db.Transaction, name: str | None, paging: listing.Paging, visible: listing.Condition) -> list[Any]:
    where = [] if name is None else [T.c.name == name]
    return LISTING.rows(tx, where, paging, visible)


def insert(tx: db.Transaction, row: dict[str, Any]) -> None:
    tx.execute(sa.insert(T), row)


def delete(tx: db.Transaction, id: str) -> bool:
    """False if there is no such transfer."""
    return tx.execute(sa.delete(T).where(T.c.id == id)).rowcount == 1


def delete_of_volume(tx: db.Transaction, volume_id: str) -> None:
    tx.execute(sa.delete(T).where(T.c.volume_id == volume_id))
