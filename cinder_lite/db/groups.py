"""Reads and writes the rows of groups, group types and group snapshots."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from cinder_lite import context, db, errors
from cinder_lite.concurrency import randomness
from cinder_lite.db import listing, schema, volumes

G, S, T = schema.groups, schema.group_snapshots, schema.group_types
TYPES = listing.Resource(T, frozenset(("id", "name", "description", "created_at", "updated_at")), sa.select(T),
                         errors.GroupTypeNotFound)
get_type = TYPES.existing
#: The type of the groups that the legacy API calls consistency groups.
LEGACY_TYPE = "default_cgsnapshot_type"
#: Group specs that require consistent snapshots, and replication.
CONSISTENT = "consistent_group_snapshot_enabled"
REPLICATED = ("group_replication_enabled", "consistent_group_replication_enabled")


def is_set(specs: Mapping[str, str] | None, key: str) -> bool:
    """Whether a group spec is "<is> True"."""
    words = ((specs or {}).get(key) or "").split()
    return len(words) == 2 and words[0] == "<is>" and words[1].lower() == "true"


# -- groups

#: Groups, with the names and specs of their types.
GROUPS = listing.Resource(
    G, frozenset(("id", "name", "status", "created_at", "availability_zone", "group_type_id")),
    sa.select(G, T.c.name.label("type_name"), T.c.group_specs).select_from(
        G.outerjoin(T, T.c.id == G.c.group_type_id)), errors.GroupNotFound)
find, get, page, visible_to = GROUPS.find, GROUPS.get, GROUPS.rows, GROUPS.visible_to


def volumes_of(tx: db.Transaction, id: str) -> Sequence[db.Row]:
    """The group's volumes, oldest first, in the form of volumes.ROW.

    Their project cannot change meanwhile: volumes of a group cannot be transferred.
    """
    return tx.execute(volumes.ROW.where(volumes.V.c.group_id == id).order_by(
        volumes.V.c.created_at, volumes.V.c.id)).all()


def volume_ids(tx: db.Transaction, ids: Collection[str]) -> dict[str, list[str]]:
    """{group id: [ids of its volumes]} of several groups, by one statement."""
    found: dict[str, list[str]] = {id: [] for id in ids}
    if ids:
        for group_id, id in tx.execute(sa.select(volumes.V.c.group_id, volumes.V.c.id).where(
                volumes.V.c.group_id.in_(ids)).order_by(volumes.V.c.created_at, volumes.V.c.id)):
            found[group_id].append(id)
    return found


def ordinary(table: sa.Table = G) -> listing.Condition:
    """The condition of groups, or group snapshots, that are not consistency groups of the legacy API."""
    return sa.not_(sa.exists().where(T.c.id == table.c.group_type_id, T.c.name == LEGACY_TYPE).correlate(table))


_OF_TYPE = sa.select(G.c.id).join(T, T.c.id == G.c.group_type_id).where(
    T.c.name == sa.bindparam("name"), G.c.id.in_(sa.bindparam("ids", expanding=True)))


def legacy(tx: db.Transaction, ids: Collection[str]) -> set[str]:
    """The ids among these of consistency groups of the legacy API."""
    return set(tx.execute(_OF_TYPE, {"ids": tuple(ids), "name": LEGACY_TYPE}).scalars()) if ids else set()


# -- group snapshots

SNAPSHOTS = listing.Resource(
    S, frozenset(("id", "name", "status", "created_at", "group_id", "group_type_id")),
    sa.select(S, T.c.name.label("type_name")).select_from(S.outerjoin(T, T.c.id == S.c.group_type_id)),
    errors.GroupSnapshotNotFound)
find_snapshot, get_snapshot, page_of_snapshots = SNAPSHOTS.find, SNAPSHOTS.get, SNAPSHOTS.rows


def snapshots_of(tx: db.Transaction, group_snapshot_id: str, locked: bool = False) -> Sequence[db.Row]:
    """The snapshots of its volumes, oldest first; `locked` until the transaction ends."""
    of = schema.snapshots
    query = sa.select(of).where(of.c.group_snapshot_id == group_snapshot_id).order_by(of.c.created_at, of.c.id)
    return tx.execute(query.with_for_update() if locked else query).all()


# -- types

def find_type(tx: db.Transaction, type_name_or_id: str) -> db.Row:
    """The type of that id or name. Raises GroupTypeNotFound."""
    rows = tx.execute(sa.select(T).where(sa.or_(T.c.id == type_name_or_id, T.c.name == type_name_or_id))).all()
    if not rows:
        raise errors.GroupTypeNotFound(id=type_name_or_id)
    return min(rows, key=lambda row: row.id != type_name_or_id)


def usable_type(tx: db.Transaction, ctx: context.Context, type_name_or_id: str) -> db.Row:
    """The type of that id or name. Raises GroupTypeNotFound, for users also if the type is not public."""
    row = find_type(tx, type_name_or_id)
    if not (row.is_public or ctx.is_admin):
        raise errors.GroupTypeNotFound(id=type_name_or_id)
    return row


def page_of_types(tx: db.Transaction, is_public: bool | None, paging: listing.Paging) -> list[Any]:
    """Public types, private types, or both for None."""
    return TYPES.rows(tx, [] if is_public is None else [T.c.is_public == is_public], paging)


def create_type(tx: db.Transaction, name: str, description: str | None, is_public: bool,
                specs: Mapping[str, str]) -> str:
    """Returns the id. Raises Duplicate for an existing name."""
    id = randomness.new_id()
    tx.execute(sa.insert(T).values(id=id, name=name, description=description, is_public=is_public, group_specs=specs,
                                   created_at=db.now()))
    return id


def update_type(tx: db.Transaction, id: str, **values: Any) -> None:
    """Change columns. Raises GroupTypeNotFound."""
    if tx.execute(sa.update(T).where(T.c.id == id).values(updated_at=db.now(), **values)).rowcount == 0:
        raise errors.GroupTypeNotFound(id=id)


def type_in_use(tx: db.Transaction, id: str) -> bool:
    return tx.execute(sa.select(sa.exists().where(G.c.group_type_id == id))).scalar_one()


def delete_type(tx: db.Transaction, id: str) -> None:
    """Raises GroupTypeNotFound, or BadRequest while groups have the type."""
    if type_in_use(tx, id):
        raise errors.BadRequest(f"Group type {id} is in use: groups are of it.")
    if tx.execute(sa.delete(T).where(T.c.id == id)).rowcount == 0:
        raise errors.GroupTypeNotFound(id=id)
