"""Stores notifications in the transaction of the change that they report, until they are sent."""

import datetime
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from cinder_lite import db
from cinder_lite.concurrency import randomness
from cinder_lite.db import backups, groups, schema, snapshots, volumes

N = schema.notices
FINDERS = {"volume": volumes.find, "snapshot": snapshots.find, "backup": backups.find, "group": groups.find,
           "group_snapshot": groups.find_snapshot}


def subject(tx: db.Transaction, kind: str, id: str) -> db.Row | None:
    """The row of the resource that a notification is about, None if it does not exist."""
    return FINDERS[kind](tx, id)


def add(tx: db.Transaction, owner: str, event_type: str, publisher_id: str, payload: dict[str, Any]) -> None:
    """Store a notification that `owner` sends."""
    tx.execute(sa.insert(N).values(id=randomness.new_id(), owner=owner, event_type=event_type,
                                   publisher_id=publisher_id, payload=payload, created_at=db.now()))


def unsent(tx: db.Transaction, owner: str, seconds: float, most: int = 100) -> Sequence[db.Row]:
    """Unsent notifications of the owner, and those of other owners after so many seconds; the oldest first."""
    late = db.now() - datetime.timedelta(seconds=seconds)
    return tx.execute(sa.select(N).where(sa.or_(N.c.owner == owner, N.c.created_at < late)).order_by(
        N.c.created_at, N.c.id).limit(most)).all()


def delete(tx: db.Transaction, id: str) -> None:
    tx.execute(sa.delete(N).where(N.c.id == id))
