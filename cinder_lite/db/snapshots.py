"""Reads, lists and filters the rows of snapshots."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from cinder_lite import db, errors
from cinder_lite.db import listing, schema, volumes

S = schema.snapshots
ROW = sa.select(S)
#: The host string of a snapshot's volume, which does not move, beside a row of the table of snapshots.
HOST = sa.select(volumes.V.c.host).where(volumes.V.c.id == S.c.volume_id).scalar_subquery().label("volume_host")
LISTING = listing.Resource(S, frozenset((
    "id", "status", "size", "name", "created_at", "updated_at", "volume_id", "project_id", "user_id", "description")),
    ROW, errors.SnapshotNotFound)
find, get, page, count, visible_to = LISTING.find, LISTING.get, LISTING.rows, LISTING.count, LISTING.visible_to
visible, inserted = LISTING.visible, LISTING.inserted


def of_volume(tx: db.Transaction, volume_id: str, locked: bool = False) -> Sequence[db.Row]:
    """The volume's snapshots, newest first; `locked` until the transaction ends."""
    query = ROW.where(S.c.volume_id == volume_id).order_by(S.c.created_at.desc(), S.c.id.desc())
    return tx.execute(query.with_for_update() if locked else query).all()


_FOR_DRIVER = ("id", "host", "size", "facts", "name_id", "type_extra_specs", "type_qos_consumer", "type_qos_specs")
_OWN = (S.c.id, S.c.size, S.c.facts, S.c.volume_id)
_Snapshot, _Volume = db.row_type(column.name for column in _OWN), db.row_type(_FOR_DRIVER)
_WITH_VOLUME = sa.select(*_OWN, *(volumes.ROW.selected_columns[name] for name in _FOR_DRIVER)).select_from(
    S.outerjoin(volumes.V, volumes.V.c.id == S.c.volume_id).outerjoin(
        volumes.T, volumes.T.c.id == volumes.V.c.volume_type_id).outerjoin(
        volumes.Q, volumes.Q.c.id == volumes.T.c.qos_specs_id)).where(S.c.id == sa.bindparam("id"))


def with_volume(tx: db.Transaction, id: str) -> tuple[Any, Any]:
    """(the snapshot, its volume) by one statement, with what drivers get of both; None for a row that does not
    exist."""
    row = tx.execute(_WITH_VOLUME, {"id": id}).first()
    if row is None:
        return None, None
    snapshot, volume = _Snapshot(*row[:len(_OWN)]), _Volume(*row[len(_OWN):])
    return snapshot, volume if volume.id is not None else None
