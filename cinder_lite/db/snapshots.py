"""Reads, lists and filters the rows of snapshots."""

from collections.abc import Sequence

import sqlalchemy as sa

from cinder_lite import db, errors
from cinder_lite.db import listing, schema

S = schema.snapshots
ROW = sa.select(S)
LISTING = listing.Resource(S, frozenset((
    "id", "status", "size", "name", "created_at", "updated_at", "volume_id", "project_id", "user_id", "description")),
    ROW, errors.SnapshotNotFound)
find, get, page, count, visible_to = LISTING.find, LISTING.get, LISTING.rows, LISTING.count, LISTING.visible_to


def of_volume(tx: db.Transaction, volume_id: str, locked: bool = False) -> Sequence[db.Row]:
    """The volume's snapshots, newest first; `locked` until the transaction ends."""
    query = ROW.where(S.c.volume_id == volume_id).order_by(S.c.created_at.desc(), S.c.id.desc())
    return tx.execute(query.with_for_update() if locked else query).all()
