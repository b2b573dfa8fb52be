"""Rows of connections: which host has access to which volume, and by which secret."""

import datetime
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from cinder_lite import db, states
from cinder_lite.db import schema

C, A, J, V = schema.connections, schema.attachments, schema.jobs, schema.volumes
ROW = sa.select(C)
_ALIVE = C.c.state != states.ENDING


def find(tx: db.Transaction, id: str) -> db.Row | None:
    return tx.execute(ROW.where(C.c.id == id)).first()


def of_volume(tx: db.Transaction, volume_id: str) -> Sequence[db.Row]:
    """The volume's connections in whatever state, oldest first."""
    return tx.execute(ROW.where(C.c.volume_id == volume_id).order_by(C.c.created_at, C.c.id)).all()


def of_backend(tx: db.Transaction, backend: str) -> Sequence[db.Row]:
    return tx.execute(ROW.where(C.c.backend == backend).order_by(C.c.created_at, C.c.id)).all()


def insert(tx: db.Transaction, **values: Any) -> None:
    tx.execute(sa.insert(C), {"created_at": db.now(), **values})


def write(tx: db.Transaction, row: db.Row, **values: Any) -> bool:
    """Change a row unless its generation is another by now; False when it is, or the row is gone."""
    return tx.execute(sa.update(C).where(C.c.id == row.id, C.c.generation == row.generation).values(
        updated_at=db.now(), **values)).rowcount == 1


def end(tx: db.Transaction, *where: sa.ColumnElement[bool]) -> int:
    """Mark those to be undone that are not yet. Returns how many there were."""
    return tx.execute(sa.update(C).where(_ALIVE, *where).values(
        state=states.ENDING, generation=C.c.generation + 1, updated_at=db.now())).rowcount


def end_one(tx: db.Transaction, row: db.Row) -> int:
    return end(tx, C.c.id == row.id)


def end_of_volume(tx: db.Transaction, volume_id: str, *, but_attachment: str | None = None) -> int:
    """The same of all of a volume, but for those of one attachment."""
    kept = () if but_attachment is None else (sa.or_(C.c.attachment_id.is_(None), C.c.attachment_id != but_attachment),)
    return end(tx, C.c.volume_id == volume_id, *kept)


def end_of_attachment(tx: db.Transaction, attachment_id: str) -> int:
    return end(tx, C.c.attachment_id == attachment_id)


def delete(tx: db.Transaction, row: db.Row) -> None:
    """Forget one, unless its generation is another by now."""
    tx.execute(sa.delete(C).where(C.c.id == row.id, C.c.generation == row.generation))


def delete_ended(tx: db.Transaction, volume_id: str) -> None:
    tx.execute(sa.delete(C).where(C.c.volume_id == volume_id, C.c.state == states.ENDING))


def delete_all(tx: db.Transaction, volume_id: str) -> None:
    tx.execute(sa.delete(C).where(C.c.volume_id == volume_id))


def reassign(tx: db.Transaction, from_id: str, to_id: str) -> None:
    """The connections of one volume become another's."""
    tx.execute(sa.update(C).where(C.c.volume_id == from_id).values(volume_id=to_id, updated_at=db.now()))


def _lost(seconds):
    """Which have nobody any more: the caller was killed, or the attachment was removed by a release before."""
    late = sa.func.coalesce(C.c.updated_at, C.c.created_at) < db.now() - datetime.timedelta(seconds=seconds)
    # The host that copied for a job logs out before its connection ends, also when the job was given up.
    copying = sa.or_(J.c.id == C.c.attachment_id, sa.and_(J.c.resource_id == C.c.volume_id, J.c.kind == "leftover"))
    orphan = sa.and_(
        C.c.attachment_id.is_not(None), ~sa.exists().where(A.c.id == C.c.attachment_id),
        ~sa.exists().where(copying, J.c.status.in_(states.LIVE_JOB)))
    made = C.c.state.in_((states.CONNECTED, states.RENEWING))
    return sa.or_(sa.and_(C.c.state == states.CONNECTING, late), sa.and_(made, orphan))


def unsettled(tx: db.Transaction, backend: str, seconds: float) -> Sequence[str]:
    """Ids of the backend's volumes of which connections are to be undone or exported again, or were left by their callers.

    One that is being made for longer than `seconds` is.
    """
    return tx.execute(sa.select(C.c.volume_id).distinct().where(C.c.backend == backend, sa.or_(
        C.c.state.in_((states.ENDING, states.RENEWING)), _lost(seconds)))).scalars().all()


def end_lost(tx: db.Transaction, volume_id: str, seconds: float) -> int:
    return end(tx, C.c.volume_id == volume_id, _lost(seconds))


def unconverted(tx: db.Transaction, backend: str) -> list[str]:
    """Ids of volumes that have an export of a release before, or of Cinder, and no connection."""
    return [row.id for row in tx.execute(sa.select(V.c.id, V.c.export).where(
        V.c.host.startswith(backend + "#", autoescape=True), ~sa.exists().where(C.c.volume_id == V.c.id))) if row.export]
