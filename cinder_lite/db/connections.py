"""Reads and writes the rows of connections: the access of hosts to volumes, with its credentials."""

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
    """The volume's connections in any state, oldest first."""
    return tx.execute(ROW.where(C.c.volume_id == volume_id).order_by(C.c.created_at, C.c.id)).all()


def of_backend(tx: db.Transaction, backend: str) -> Sequence[db.Row]:
    return tx.execute(ROW.where(C.c.backend == backend).order_by(C.c.created_at, C.c.id)).all()


def insert(tx: db.Transaction, **values: Any) -> None:
    tx.execute(sa.insert(C), {"created_at": db.now(), **values})


def write(tx: db.Transaction, row: db.Row, **values: Any) -> bool:
    """Change a row. False if its generation has changed or it does not exist."""
    return tx.execute(sa.update(C).where(C.c.id == row.id, C.c.generation == row.generation).values(
        updated_at=db.now(), **values)).rowcount == 1


def end(tx: db.Transaction, *where: sa.ColumnElement[bool]) -> int:
    """Mark connections as ending, unless they are. Returns their number."""
    return tx.execute(sa.update(C).where(_ALIVE, *where).values(
        state=states.ENDING, generation=C.c.generation + 1, updated_at=db.now())).rowcount


def end_one(tx: db.Transaction, row: db.Row) -> int:
    return end(tx, C.c.id == row.id)


def end_of_volume(tx: db.Transaction, volume_id: str, *, except_attachment: str | None = None) -> int:
    """Mark the connections of a volume as ending, except those of one attachment. Returns their number."""
    where = [C.c.volume_id == volume_id]
    if except_attachment is not None:
        where.append(sa.or_(C.c.attachment_id.is_(None), C.c.attachment_id != except_attachment))
    return end(tx, *where)


def end_of_attachment(tx: db.Transaction, attachment_id: str) -> int:
    return end(tx, C.c.attachment_id == attachment_id)


def delete(tx: db.Transaction, row: db.Row) -> None:
    """Delete a row, unless its generation has changed."""
    tx.execute(sa.delete(C).where(C.c.id == row.id, C.c.generation == row.generation))


def delete_ended(tx: db.Transaction, volume_id: str) -> None:
    tx.execute(sa.delete(C).where(C.c.volume_id == volume_id, C.c.state == states.ENDING))


def delete_all(tx: db.Transaction, volume_id: str) -> None:
    tx.execute(sa.delete(C).where(C.c.volume_id == volume_id))


def reassign(tx: db.Transaction, from_id: str, to_id: str) -> None:
    """Assign the connections of one volume to another."""
    tx.execute(sa.update(C).where(C.c.volume_id == from_id).values(volume_id=to_id, updated_at=db.now()))


def _lost(seconds):
    """The condition of orphaned connections: the caller was killed, or a former release removed the attachment."""
    late = sa.func.coalesce(C.c.updated_at, C.c.created_at) < db.now() - datetime.timedelta(seconds=seconds)
    # The host that copies for a job logs out before its connection ends, even if the job was abandoned.
    copying = sa.or_(J.c.id == C.c.attachment_id, sa.and_(J.c.resource_id == C.c.volume_id, J.c.kind == "leftover"))
    orphan = sa.and_(
        C.c.attachment_id.is_not(None), ~sa.exists().where(A.c.id == C.c.attachment_id),
        ~sa.exists().where(copying, J.c.status.in_(states.LIVE_JOB)))
    made = C.c.state.in_((states.CONNECTED, states.RENEWING))
    return sa.or_(sa.and_(C.c.state == states.CONNECTING, late), sa.and_(made, orphan))


def unsettled(tx: db.Transaction, backend: str, seconds: float) -> Sequence[str]:
    """Ids of the backend's volumes with connections that must be ended or exported again, or that are orphaned.

    A connection that has been connecting for more than `seconds` is orphaned.
    """
    return tx.execute(sa.select(C.c.volume_id).distinct().where(C.c.backend == backend, sa.or_(
        C.c.state.in_((states.ENDING, states.RENEWING)), _lost(seconds)))).scalars().all()


def end_lost(tx: db.Transaction, volume_id: str, seconds: float) -> int:
    return end(tx, C.c.volume_id == volume_id, _lost(seconds))


def unconverted(tx: db.Transaction, backend: str) -> list[str]:
    """Ids of volumes with an export of a former release or of Cinder, and without a connection."""
    rows = tx.execute(sa.select(V.c.id, V.c.export).where(
        V.c.host.startswith(backend + "#", autoescape=True), ~sa.exists().where(C.c.volume_id == V.c.id)))
    return [row.id for row in rows if row.export]
