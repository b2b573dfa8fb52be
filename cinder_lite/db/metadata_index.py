"""Indexes the metadata of volumes and snapshots: a row per pair, by which lists filter.

Each row repeats the project and the time of creation of its resource, so that a page of the resources with a pair is
read from an index like any other page. `pair` is a digest of key and value: the texts are too long for an index.
"""

import dataclasses
import functools
import hashlib
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from cinder_lite import db
from cinder_lite.db import schema

L = schema.metadata_index
TABLES = {"volume": schema.volumes, "snapshot": schema.snapshots}


def digest(kind: str, key: str, value: str) -> str:
    """The value of `pair`. A migration computes the same in SQL."""
    return hashlib.md5(f"{kind}\n{key}\n{value}".encode(), usedforsecurity=False).hexdigest()


def rows(kind: str, resources: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The index rows of resources of that kind, given as mappings of their columns."""
    return [row(kind, one, key, value) for one in resources
            for key, value in {**one["metadata"], **one.get("admin_metadata", {})}.items()]


def row(kind: str, resource: Mapping[Any, Any], key: str, value: str) -> dict[str, Any]:
    """The index row of one pair of a resource."""
    return {"resource_id": resource["id"], "key": key, "value": value, "pair": digest(kind, key, value),
            "project_id": resource["project_id"], "created_at": resource["created_at"]}


def add(tx: db.Transaction, kind: str, resource: Mapping[str, Any]) -> None:
    """Insert the index rows of a new resource."""
    new = rows(kind, [resource])
    if new:
        tx.execute(sa.insert(L), new)


def change(tx: db.Transaction, kind: str, id: str, before: Mapping[str, str], after: Mapping[str, str]) -> None:
    """Update the index rows after a change of the resource's metadata from `before` to `after`."""
    removed = [key for key in before if key not in after or before[key] != after[key]]
    if removed:
        tx.execute(sa.delete(L).where(L.c.resource_id == id, L.c.key.in_(removed)))
    new = [(key, value) for key, value in after.items() if before.get(key) != value]
    if new:
        table = TABLES[kind]
        place = tx.execute(sa.select(table.c.id, table.c.project_id, table.c.created_at).where(table.c.id == id)).one()
        tx.execute(sa.insert(L), [row(kind, place._mapping, key, value) for key, value in new])


def update(tx: db.Transaction, volume: db.Row, **new: dict[str, str]) -> None:
    """Update the index of a volume after a change of its `metadata` or `admin_metadata`; the latter takes
    precedence."""
    after = {name: new.get(name, getattr(volume, name)) for name in ("metadata", "admin_metadata")}
    change(tx, "volume", volume.id, {**volume.metadata, **volume.admin_metadata},
           {**after["metadata"], **after["admin_metadata"]})


def change_project(tx: db.Transaction, ids: Collection[str], project_id: str) -> None:
    """Assign the index rows of the resources to another project."""
    tx.execute(sa.update(L).where(L.c.resource_id.in_(ids)).values(project_id=project_id))


_REMOVE = sa.delete(L).where(L.c.resource_id == sa.bindparam("id"))


def remove(tx: db.Transaction, id: str) -> None:
    tx.execute(_REMOVE, {"id": id})


@dataclasses.dataclass(frozen=True)
class HasMetadata:
    """The condition that a resource has all these pairs in its metadata or admin_metadata.

    `project_id` is the project whose resources are listed, None for all. A list ordered by age reads the rows of the
    first pair in order, and looks the other pairs up for each.
    """

    kind: str
    pairs: Mapping[str, str]
    project_id: str | None

    def __clause_element__(self) -> sa.ColumnElement[bool]:
        id = TABLES[self.kind].c.id
        return sa.and_(*(id.in_(sa.select(L.c.resource_id).where(self._is(*pair))) for pair in self.pairs.items()))

    def _is(self, key, value):
        # Comparing the texts too would make PostgreSQL assume three independent conditions and expect too few rows.
        return L.c.pair == digest(self.kind, key, value)

    #: Column of the resource that lists are ordered by -> its copy in the index.
    order = {"created_at": L.c.created_at, "id": L.c.resource_id}

    @functools.cached_property
    def ids(self) -> sa.Select:
        """SELECT of the resources' ids by the index rows of the first pair, which are read first."""
        table, (first, *others) = TABLES[self.kind], self.pairs.items()
        found = sa.select(L.c.resource_id.label("id")).select_from(L.join(table, table.c.id == L.c.resource_id)).where(
            self._is(*first), *(_value(table, key) == value for key, value in others))
        if self.project_id is not None:
            found = found.where(L.c.project_id == self.project_id)
        columns = ["pair", *(["project_id"] if self.project_id is not None else []), "created_at", "resource_id"]
        index = next(one for one in L.indexes if one.columns.keys() == columns)
        return found.prefix_with("STRAIGHT_JOIN", dialect="mysql").with_hint(L, f"FORCE INDEX ({index.name})", "mysql")


def _value(table, key):
    """The value of the key in the metadata of the table's row; looked up by the primary key."""
    other = L.alias()
    return sa.select(other.c.value).where(other.c.resource_id == table.c.id, other.c.key == key).scalar_subquery()
