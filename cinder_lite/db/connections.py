"""Reads and writes the rows of connections: the access of hosts to volumes, with its credentials."""

import datetime
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from cinder_lite import db, errors, states
from cinder_lite.db import attachments, schema, volumes

C, A, J, V = schema.connections, schema.attachments, schema.jobs, schema.volumes
ROW = sa.select(C)
_BY_ID = ROW.where(C.c.id == sa.bindparam("id"))
#: A row like those of ROW.
Row = db.row_type(column.name for column in C.c)
_UNSET = dict.fromkeys(Row._fields) | {"initialized": False, "joined": False, "read_only": False, "generation": 1}
_WITH_VOLUME = sa.select(*volumes.ROW.selected_columns, *C.c).select_from(
    volumes.WITH_TYPE.outerjoin(C, C.c.volume_id == V.c.id)).where(
    V.c.id == sa.bindparam("id"))
_WITH_ATTACHMENTS = sa.select(*C.c, *A.c).select_from(C.outerjoin(A, A.c.volume_id == C.c.volume_id)).where(
    C.c.id == sa.bindparam("id"))
_ALIVE = C.c.state != states.ENDING
_OF_VOLUME = ROW.where(C.c.volume_id == sa.bindparam("volume_id")).order_by(C.c.created_at, C.c.id)
_END = sa.update(C).where(_ALIVE).values(state=states.ENDING, generation=C.c.generation + 1)
_END_OF_VOLUME, _END_OF_ATTACHMENT = (_END.where(C.c[name] == sa.bindparam("its_id")) for name in (
    "volume_id", "attachment_id"))


def find(tx: db.Transaction, id: str) -> db.Row | None:
    return tx.execute(_BY_ID, {"id": id}).first()


def of_volume(tx: db.Transaction, volume_id: str) -> Sequence[db.Row]:
    """The volume's connections in any state, oldest first."""
    return tx.execute(_OF_VOLUME, {"volume_id": volume_id}).all()


def with_volume(tx: db.Transaction, volume_id: str) -> tuple[Any | None, list[Any]]:
    """(the volume like a row of volumes.ROW, or None; its connections in any state, oldest first), by one statement."""
    return _joined(tx.execute(_WITH_VOLUME, {"id": volume_id}), volumes.Row, Row)


def with_attachments(tx: db.Transaction, id: str) -> tuple[Any | None, list[Any]]:
    """(the connection, or None; all attachments of its volume, oldest first), by one statement."""
    return _joined(tx.execute(_WITH_ATTACHMENTS, {"id": id}), Row, attachments.Row)


def _joined(found, one, many):
    """(the first part of the rows, which all have in common; their second parts, oldest first) of an outer join."""
    rows, width = found.all(), len(one._fields)
    second = [row for row in (many(*row[width:]) for row in rows) if row.id is not None]
    return one(*rows[0][:width]) if rows else None, sorted(second, key=attachments.AGE)


def of_backend(tx: db.Transaction, backend: str) -> Sequence[db.Row]:
    return tx.execute(ROW.where(C.c.backend == backend).order_by(C.c.created_at, C.c.id)).all()


def established(tx: db.Transaction, backend: str) -> set[str]:
    """The names of the exports of established connections to volumes that are not being deleted."""
    where = C.c.backend == backend, C.c.state == states.CONNECTED, C.c.export_name.is_not(None)
    return set(tx.execute(sa.select(C.c.export_name).join_from(C, V, V.c.id == C.c.volume_id).where(
        *where, V.c.status != states.DELETING)).scalars())


_INSERT = sa.insert(C)
_SAME = (C.c.id == sa.bindparam("its_id"), C.c.generation == sa.bindparam("its_generation"))
_WRITE, _DELETE = sa.update(C).where(*_SAME), sa.delete(C).where(*_SAME)
_ESTABLISH = _WRITE.where(
    _ALIVE, C.c.volume_id == sa.bindparam("its_volume"), C.c.backend == sa.bindparam("its_backend"))


def insert(tx: db.Transaction, **values: Any) -> Any:
    """Returns the row, without a SELECT."""
    values = {"created_at": db.now(), **values}
    tx.execute(_INSERT, values)
    return Row(**_UNSET | values)


def write(tx: db.Transaction, row: db.Row, **values: Any) -> bool:
    """Change a row. False if its generation has changed or it does not exist."""
    return tx.execute(_WRITE, {**_same(row), "updated_at": db.now(), **values}).rowcount == 1


def _same(row):
    return {"its_id": row.id, "its_generation": row.generation}


def written(tx: db.Transaction, row: db.Row, **values: Any) -> Any:
    """Change a row that was read in this transaction. Returns it, without a SELECT. Raises ConnectionEnded."""
    if not write(tx, row, **values):
        raise errors.ConnectionEnded(id=row.volume_id)
    return Row(**{**row._asdict(), **values})


def establish(tx: db.Transaction, row: db.Row, location: str | None) -> bool:
    """Record that the connection is established. False if it was ended, changed or assigned to another volume."""
    return tx.execute(_ESTABLISH, {
        **_same(row), "its_volume": row.volume_id, "its_backend": row.backend, "state": states.CONNECTED,
        "location": location, "updated_at": db.now()}).rowcount == 1


def end(tx: db.Transaction, *where: sa.ColumnElement[bool]) -> int:
    """Mark connections as ending, unless they are. Returns their number."""
    return tx.execute(_END.where(*where), {"updated_at": db.now()}).rowcount


def end_one(tx: db.Transaction, row: db.Row) -> int:
    return end(tx, C.c.id == row.id)


def end_of_volume(tx: db.Transaction, volume_id: str, *, except_attachment: str | None = None) -> int:
    """Mark the connections of a volume as ending, except those of one attachment. Returns their number."""
    if except_attachment is None:
        return tx.execute(_END_OF_VOLUME, {"its_id": volume_id, "updated_at": db.now()}).rowcount
    others = sa.or_(C.c.attachment_id.is_(None), C.c.attachment_id != except_attachment)
    return end(tx, C.c.volume_id == volume_id, others)


def end_of_attachment(tx: db.Transaction, attachment_id: str) -> int:
    return tx.execute(_END_OF_ATTACHMENT, {"its_id": attachment_id, "updated_at": db.now()}).rowcount


def delete(tx: db.Transaction, row: db.Row) -> None:
    """Delete a row, unless its generation has changed."""
    tx.execute(_DELETE, _same(row))


def delete_ended(tx: db.Transaction, volume_id: str) -> None:
    tx.execute(sa.delete(C).where(C.c.volume_id == volume_id, C.c.state == states.ENDING))


_DELETE_ALL = sa.delete(C).where(C.c.volume_id == sa.bindparam("volume_id"))


def delete_all(tx: db.Transaction, volume_id: str) -> None:
    tx.execute(_DELETE_ALL, {"volume_id": volume_id})


def reassign(tx: db.Transaction, from_id: str, to_id: str) -> None:
    """Assign the connections of one volume to another."""
    tx.execute(sa.update(C).where(C.c.volume_id == from_id).values(volume_id=to_id, updated_at=db.now()))


def _before(seconds):
    return db.now() - datetime.timedelta(seconds=seconds)


def _lost(before):
    """The condition of orphaned connections: the caller was killed, or a former release removed the attachment."""
    late = sa.func.coalesce(C.c.updated_at, C.c.created_at) < before
    # The host that copies for a job logs out before its connection ends, even if the job was abandoned.
    copying = sa.or_(J.c.id == C.c.attachment_id, sa.and_(J.c.resource_id == C.c.volume_id, J.c.kind == "leftover"))
    orphan = sa.and_(
        C.c.attachment_id.is_not(None), ~sa.exists().where(A.c.id == C.c.attachment_id),
        ~sa.exists().where(copying, J.c.status.in_(states.LIVE_JOB)))
    made = C.c.state.in_((states.CONNECTED, states.RENEWING))
    return sa.or_(sa.and_(C.c.state == states.CONNECTING, late), sa.and_(made, orphan))


_UNSETTLED = sa.select(C.c.volume_id).distinct().where(C.c.backend == sa.bindparam("backend"), sa.or_(
    C.c.state.in_((states.ENDING, states.RENEWING)), _lost(sa.bindparam("before"))))


def unsettled(tx: db.Transaction, backend: str, seconds: float) -> Sequence[str]:
    """Ids of the backend's volumes with connections that must be ended or exported again, or that are orphaned.

    A connection that has been connecting for more than `seconds` is orphaned.
    """
    return tx.execute(_UNSETTLED, {"backend": backend, "before": _before(seconds)}).scalars().all()


def end_lost(tx: db.Transaction, volume_id: str, seconds: float) -> int:
    return end(tx, C.c.volume_id == volume_id, _lost(_before(seconds)))


def unconverted(tx: db.Transaction, backend: str) -> list[str]:
    """Ids of volumes with an export of a former release or of Cinder, and without a connection."""
    rows = tx.execute(sa.select(V.c.id, V.c.export).where(
        V.c.host.startswith(backend + "#", autoescape=True), ~sa.exists().where(C.c.volume_id == V.c.id)))
    return [row.id for row in rows if row.export]
