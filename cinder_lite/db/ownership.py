"""Finds the volume, snapshot, backup or job that an object on a backend belongs to, by the object's name.

The backend of the row does not matter: two backends may share a directory, a volume group or a pool.
"""

import dataclasses
import re
from collections.abc import Iterable

import sqlalchemy as sa

from cinder_lite import db, states
from cinder_lite.db import schema

V, S, B, J = schema.volumes, schema.snapshots, schema.backups, schema.jobs

_ID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
#: Volumes and snapshots; backups that Cinder created in the same pool, and the image that several of them share.
_NAMES = re.compile(rf"(?:volume|snapshot)-({_ID})|volume-{_ID}\.backup\.({_ID})|backup\.({_ID})\.snap\..+")
_SHARED = re.compile(rf"volume-({_ID})\.backup\.base")
#: Ids in one statement.
_CHUNK = 500


@dataclasses.dataclass(frozen=True)
class Owner:
    """The resource or job that an object belongs to."""

    kind: str
    id: str

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"


def name_of(reference: object) -> str:
    """The name in the reference of a manage request, "" if it has none. LVM snapshots have an underscore before it."""
    name = reference.get("source-name") if isinstance(reference, dict) else None
    return name.removeprefix("_") if isinstance(name, str) else ""


def id_in(name: str) -> str | None:
    """The id in the name of an object, None if the name is not of the service's form."""
    found = _NAMES.fullmatch(name)
    return found and next(filter(None, found.groups()))


def owners(tx: db.Transaction, names: Iterable[str]) -> dict[str, Owner]:
    """{name: Owner} of the objects that have an owner."""
    by_id: dict[str, list[str]] = {}
    shared: dict[str, list[str]] = {}
    known: dict[str, Owner] = {}
    for name in names:
        if id := id_in(name):
            by_id.setdefault(id, []).append(name)
        elif found := _SHARED.fullmatch(name):
            shared.setdefault(found[1], []).append(name)
    for named, pairs in ((by_id, _of_ids(tx, list(by_id))), (shared, _rows(tx, B.c.volume_id, list(shared), "backup"))):
        for id, owner in pairs:
            known |= {name: owner for name in named.get(id, ()) if name not in known}
    return known


def _of_ids(tx, ids):
    """(id in the name, Owner) of each id with a row."""
    if not ids:
        return
    for column, kind in ((V.c.id, "volume"), (V.c.name_id, "volume"), (S.c.id, "snapshot"), (B.c.id, "backup")):
        yield from _rows(tx, column, ids, kind)
    # A job's copy has the job's id, and the object that a job still has to delete has the id in its arguments.
    for row in tx.execute(sa.select(J.c.id, J.c.kind, J.c.resource_id, J.c.args).where(
            J.c.status.in_(states.LIVE_JOB))):
        yield row.id, Owner("job", row.id)
        if row.kind == "leftover":
            yield row.args.get("copy_id") or row.args.get("name_id") or row.resource_id, Owner("job", row.id)


def _rows(tx, column, ids, kind):
    """(id, Owner) of the rows with these ids in the column."""
    for start in range(0, len(ids), _CHUNK):
        for row in tx.execute(sa.select(column.table.c.id, column.label("key")).where(
                column.in_(ids[start:start + _CHUNK]))):
            yield row.key, Owner(kind, row.id)
