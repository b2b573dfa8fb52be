"""Reads and writes the rows of attachments, and derives a volume's status from them."""

import operator
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from cinder_lite import db, errors, states
from cinder_lite.db import listing, schema

A = schema.attachments
ROW = sa.select(A)
#: A row like those of ROW.
Row = db.row_type(column.name for column in A.c)
_MINE = A.c.id == sa.bindparam("its_id")
_UPDATE, _DELETE = sa.update(A).where(_MINE), sa.delete(A).where(_MINE)
#: The id of the volume of the attachment `its_id`.
VOLUME_ID = sa.select(A.c.volume_id).where(_MINE).scalar_subquery()
_OF_VOLUME = ROW.where(A.c.volume_id == sa.bindparam("volume_id"))
#: Sorts rows, oldest first: MariaDB would make a temporary table for it.
AGE = operator.attrgetter("created_at", "id")

LISTING = listing.Resource(A, frozenset((
    "id", "volume_id", "attach_status", "instance_uuid", "attached_at", "created_at", "updated_at")),
    ROW, errors.AttachmentNotFound)
find, get, page, visible = LISTING.find, LISTING.get, LISTING.rows, LISTING.visible
visible_to = LISTING.visible_to

#: attach_status of an attachment -> status of its volume, strongest first.
STRENGTH = {states.ATTACHED: states.IN_USE, states.ATTACHING: states.ATTACHING, states.RESERVED: states.RESERVED}


def of_volume(tx: db.Transaction, volume_id: str) -> Sequence[db.Row]:
    """The volume's attachments, oldest first."""
    return sorted(tx.execute(_OF_VOLUME, {"volume_id": volume_id}), key=AGE)


def of_volumes(tx: db.Transaction, ids: Collection[str]) -> dict[str, list[db.Row]]:
    """{volume id: its attachments in the status attached} of several volumes, by one statement."""
    found: dict[str, list[db.Row]] = {}
    if ids:
        rows = tx.execute(ROW.where(A.c.volume_id.in_(ids), A.c.attach_status == states.ATTACHED))
        for row in sorted(rows, key=AGE):
            found.setdefault(row.volume_id, []).append(row)
    return found


_INSERT = sa.insert(A)


def insert(tx: db.Transaction, **values: Any) -> Any:
    """Returns the row, without a SELECT."""
    values = {"created_at": db.now(), **values}
    tx.execute(_INSERT, values)
    return Row(**dict.fromkeys(Row._fields) | values)


def write(tx: db.Transaction, row: db.Row, **values: Any) -> Any:
    """Change a row that was read in this transaction. Returns it, without a SELECT. Raises AttachmentNotFound."""
    if not tx.execute(_UPDATE, {"its_id": row.id, "updated_at": db.now(), **values}).rowcount:
        raise errors.AttachmentNotFound(id=row.id)
    return Row(**{**row._asdict(), **values})


def delete(tx: db.Transaction, id: str) -> bool:
    """False if there is no such attachment."""
    return tx.execute(_DELETE, {"its_id": id}).rowcount == 1


def reassign(tx: db.Transaction, from_volume: db.Row, to_volume: db.Row) -> None:
    """Assign the attachments of one volume to another."""
    tx.execute(sa.update(A).where(A.c.volume_id == from_volume.id).values(
        volume_id=to_volume.id, project_id=to_volume.project_id, updated_at=db.now()))


_DELETE_ALL = sa.delete(A).where(A.c.volume_id == sa.bindparam("volume_id"))


def delete_all(tx: db.Transaction, volume_id: str) -> None:
    tx.execute(_DELETE_ALL, {"volume_id": volume_id})


def strongest(rows: Iterable[Any]) -> tuple[str, str]:
    """(status, attach_status) of a volume with these attachments."""
    held = {row.attach_status for row in rows}
    for attach_status, status in STRENGTH.items():
        if attach_status in held:
            return status, attach_status
    return states.AVAILABLE, states.DETACHED
