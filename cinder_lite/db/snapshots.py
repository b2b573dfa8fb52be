"""Reads, lists and filters the rows of snapshots."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from cinder_lite import context, db, errors
from cinder_lite.db import listing, schema

S = schema.snapshots
ROW = sa.select(S)
SUMMARY = ROW
_BY_ID = ROW.where(S.c.id == sa.bindparam("id"))

LISTING = listing.Listing(S, frozenset((
    "id", "status", "size", "name", "created_at", "updated_at", "volume_id", "project_id", "user_id", "description")))


def get(tx: db.Transaction, ctx: context.Context, id: str) -> db.Row:
    """The snapshot, if it is visible to the requester. Raises SnapshotNotFound."""
    row = find(tx, id)
    if row is None or not ctx.sees(row.project_id):
        raise errors.SnapshotNotFound(id=id)
    return row


def find(tx: db.Transaction, id: str | None) -> db.Row | None:
    return tx.execute(_BY_ID, {"id": id}).first()


def page(tx: db.Transaction, where: Sequence[listing.Condition], paging: listing.Paging,
         visible: listing.Condition) -> list[Any]:
    return LISTING.page(tx, ROW, where, paging, visible)


def count(tx: db.Transaction, where: Sequence[listing.Condition], visible: listing.Condition) -> int:
    return tx.execute(sa.select(sa.func.count()).select_from(S).where(visible, *where)).scalar_one()


def visible_to(ctx: context.Context, all_projects: bool) -> listing.Condition:
    if ctx.is_admin and all_projects:
        return sa.true()
    return S.c.project_id == ctx.project_id


def of_volume(tx: db.Transaction, volume_id: str, locked: bool = False) -> Sequence[db.Row]:
    """The volume's snapshots, newest first; `locked` until the transaction ends."""
    query = ROW.where(S.c.volume_id == volume_id).order_by(S.c.created_at.desc(), S.c.id.desc())
    return tx.execute(query.with_for_update() if locked else query).all()
