"""The pairs of a volume's or snapshot's metadata as rows, by which lists find who carries them.

Each has a place in the list beside it (project and time of the resource), so that a page of those that carry a pair is
read from an index like any other page. `pair` is a digest of the whole pair: the texts are too long for an index.
"""

import dataclasses
import functools
import hashlib
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from cinder_lite import db
from cinder_lite.db import schema

L = schema.labels
TABLES = {"volume": schema.volumes, "snapshot": schema.snapshots}


def digest(kind: str, key: str, value: str) -> str:
    """What `pair` is. The database makes the same of the texts in a migration."""
    return hashlib.md5(f"{kind}\n{key}\n{value}".encode(), usedforsecurity=False).hexdigest()


def rows(kind: str, resources: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The label rows of resources of that kind, which are mappings of their columns."""
    return [row(kind, one, key, value) for one in resources
            for key, value in {**one["metadata"], **one.get("admin_metadata", {})}.items()]


def row(kind: str, resource: Mapping[Any, Any], key: str, value: str) -> dict[str, Any]:
    """The label row of one pair of a resource."""
    return {"resource_id": resource["id"], "key": key, "value": value, "pair": digest(kind, key, value),
            "project_id": resource["project_id"], "created_at": resource["created_at"]}


def change(tx: db.Transaction, kind: str, id: str, before: Mapping[str, str], after: Mapping[str, str]) -> None:
    """Make the label rows follow a change of the resource's metadata from `before` to `after` (dicts)."""
    gone = [key for key in before if key not in after or before[key] != after[key]]
    if gone:
        tx.execute(sa.delete(L).where(L.c.resource_id == id, L.c.key.in_(gone)))
    new = [(key, value) for key, value in after.items() if before.get(key) != value]
    if new:
        table = TABLES[kind]
        place = tx.execute(sa.select(table.c.id, table.c.project_id, table.c.created_at).where(table.c.id == id)).one()
        tx.execute(sa.insert(L), [row(kind, place._mapping, key, value) for key, value in new])


def follow(tx: db.Transaction, volume: db.Row, **new: dict[str, str]) -> None:
    """Make the labels of a volume follow a change of its `metadata` or `admin_metadata`, which win over the user's."""
    after = {name: new.get(name, getattr(volume, name)) for name in ("metadata", "admin_metadata")}
    change(tx, "volume", volume.id, {**volume.metadata, **volume.admin_metadata},
           {**after["metadata"], **after["admin_metadata"]})


def give(tx: db.Transaction, ids: Collection[str], project_id: str) -> None:
    """The resources belong to another project now."""
    tx.execute(sa.update(L).where(L.c.resource_id.in_(ids)).values(project_id=project_id))


def remove(tx: db.Transaction, id: str) -> None:
    tx.execute(sa.delete(L).where(L.c.resource_id == id))


@dataclasses.dataclass(frozen=True)
class Carried:
    """The condition that a resource carries all these pairs, in its own or the administrators' metadata.

    `project_id` is whose resources are listed, None for everybody's. In a list by age the first pair leads to the rows, in
    their order, and the others are looked up for each.
    """

    kind: str
    pairs: Mapping[str, str]
    project_id: str | None

    def __clause_element__(self) -> sa.ColumnElement[bool]:
        id = TABLES[self.kind].c.id
        return sa.and_(*(id.in_(sa.select(L.c.resource_id).where(self._is(*pair))) for pair in self.pairs.items()))

    def _is(self, key, value):
        # The texts are not compared as well: PostgreSQL would take that for three conditions, and expect few rows.
        return L.c.pair == digest(self.kind, key, value)

    #: The columns of a label that say where in a list its resource stands.
    order = {"created_at": L.c.created_at, "id": L.c.resource_id}

    @functools.cached_property
    def ids(self) -> sa.Select:
        """SELECT of the resources' ids from the labels of the first pair, read before all else."""
        table, (first, *others) = TABLES[self.kind], self.pairs.items()
        found = sa.select(L.c.resource_id.label("id")).select_from(L.join(table, table.c.id == L.c.resource_id)).where(
            self._is(*first), *(_value(table, key) == value for key, value in others))
        if self.project_id is not None:
            found = found.where(L.c.project_id == self.project_id)
        columns = ["pair", *(["project_id"] if self.project_id is not None else []), "created_at", "resource_id"]
        index = next(one for one in L.indexes if one.columns.keys() == columns)
        return found.prefix_with("STRAIGHT_JOIN", dialect="mysql").with_hint(L, f"FORCE INDEX ({index.name})", "mysql")


def _value(table, key):
    """The value that the row of a table carries under the key; looked up by the primary key."""
    other = L.alias()
    return sa.select(other.c.value).where(other.c.resource_id == table.c.id, other.c.key == key).scalar_subquery()
