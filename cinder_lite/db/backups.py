"""Reads, lists and filters the rows of backups."""

import datetime
from collections.abc import Sequence

import sqlalchemy as sa

from cinder_lite import db, errors, states
from cinder_lite.db import listing, schema

B = schema.backups
_CHILD = schema.backups.alias("child")
#: No EXISTS, for which PostgreSQL would read the whole table, however few backups are listed.
HAS_CHILDREN = sa.select(_CHILD.c.id).where(_CHILD.c.parent_id == B.c.id).limit(1).scalar_subquery().is_not(None)
ROW = sa.select(B, HAS_CHILDREN.label("has_dependent_backups"))
SUMMARY = sa.select(B.c.id, B.c.name)

LISTING = listing.Resource(B, frozenset((
    "id", "status", "size", "name", "created_at", "updated_at", "volume_id", "project_id", "user_id", "description",
    "availability_zone", "data_timestamp")), ROW, errors.BackupNotFound)
find, get, page, count, visible_to = LISTING.find, LISTING.get, LISTING.rows, LISTING.count, LISTING.visible_to
visible, inserted = LISTING.visible, LISTING.inserted


def latest(tx: db.Transaction, volume_id: str, project_id: str,
           before: datetime.datetime | None = None) -> db.Row | None:
    """The newest available backup of the volume in that project, by the time of its data."""
    query = ROW.where(B.c.volume_id == volume_id, B.c.project_id == project_id, B.c.status == states.AVAILABLE)
    if before is not None:
        query = query.where(B.c.data_timestamp < before)
    return tx.execute(query.order_by(B.c.data_timestamp.desc()).limit(1)).first()


def others_in(tx: db.Transaction, backup: db.Row) -> Sequence[db.Row]:
    """The other backups in the backup's container."""
    return tx.execute(ROW.where(B.c.container == backup.container, B.c.id != backup.id)).all()


def chain(tx: db.Transaction, backup: db.Row) -> list[db.Row]:
    """The backup and its existing ancestors, newest first."""
    rows, known = [backup], {None, backup.id}
    while rows[-1].parent_id not in known and (parent := find(tx, rows[-1].parent_id)) is not None:
        rows.append(parent)
        known.add(parent.id)
    return rows
