"""Reads and writes the rows of volume types, their access lists and the projects' default types."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from cinder_lite import context, db, errors
from cinder_lite.concurrency import randomness
from cinder_lite.db import listing, schema

T, P, D = schema.volume_types, schema.volume_type_projects, schema.default_types
ROW = sa.select(T)
LISTING = listing.Resource(T, frozenset(("id", "name", "created_at", "updated_at", "description")), ROW,
                           errors.TypeNotFound)
find, page = LISTING.find, LISTING.rows


def visible_to(ctx: context.Context, is_public: bool | None = None) -> listing.Condition:
    """The condition of the types that a list shows: administrators choose by is_public (None: all), others see usable
    types."""
    if ctx.is_admin:
        return sa.true() if is_public is None else T.c.is_public == is_public
    return _usable(ctx.project_id)


def _usable(project_id):
    shared = sa.exists().where(P.c.volume_type_id == T.c.id, P.c.project_id == project_id)
    return sa.or_(T.c.is_public.is_(True), shared)


def get(tx: db.Transaction, ctx: context.Context, id: str) -> db.Row:
    """The type, if the requester may use it. Raises TypeNotFound."""
    row = tx.execute(ROW.where(T.c.id == id, visible_to(ctx))).first()
    if row is None:
        raise errors.TypeNotFound(id=id)
    return row


@functools.cache
def _named(sees_all):
    wanted = sa.bindparam("wanted")
    visible = sa.true() if sees_all else _usable(sa.bindparam("project"))
    return ROW.where(sa.or_(T.c.id == wanted, T.c.name == wanted), visible)


def get_by_name_or_id(tx: db.Transaction, ctx: context.Context, name_or_id: str) -> db.Row:
    """The type of that id or name, if the requester may use it. Raises TypeNotFound."""
    rows = tx.execute(_named(ctx.is_admin), {"wanted": name_or_id, "project": ctx.project_id}).all()
    if not rows:
        raise errors.TypeNotFound(id=name_or_id)
    return min(rows, key=lambda row: row.id != name_or_id)


def all(tx: db.Transaction) -> Sequence[db.Row]:
    return tx.execute(ROW.order_by(T.c.name)).all()


def create(tx: db.Transaction, name: str, description: str | None, is_public: bool,
           extra_specs: Mapping[str, str]) -> str:
    id = randomness.new_id()
    tx.execute(sa.insert(T).values(id=id, name=name, description=description, is_public=is_public,
                                   extra_specs=extra_specs, created_at=db.now()))
    return id


def update(tx: db.Transaction, id: str, **values: Any) -> None:
    """Change columns. Raises TypeNotFound."""
    if tx.execute(sa.update(T).where(T.c.id == id).values(updated_at=db.now(), **values)).rowcount == 0:
        raise errors.TypeNotFound(id=id)


def lock_shared(tx: db.Transaction, *ids: str) -> None:
    """Lock types against deletion until the transaction ends. Raises TypeNotFound."""
    query = sa.select(T.c.id).where(T.c.id.in_(ids)).order_by(T.c.id).with_for_update(read=True)
    found = set(tx.execute(query).scalars())
    for id in ids:
        if id not in found:
            raise errors.TypeNotFound(id=id)


def lock(tx: db.Transaction, id: str) -> None:
    """Lock the type exclusively until the transaction ends."""
    tx.execute(sa.select(T.c.id).where(T.c.id == id).with_for_update())


def delete(tx: db.Transaction, id: str) -> None:
    """Delete the type and its access list. Raises BadRequest while volumes, snapshots or defaults of projects have
    it."""
    lock(tx, id)
    of_groups = tx.execute(sa.select(schema.groups.c.volume_types)).scalars()
    if any(id in (of.get("ids") or ()) for of in of_groups if isinstance(of, dict)):
        raise errors.BadRequest(f"Target volume type is still in use: groups take volumes of type {id}.")
    used = [sa.exists().where(table.c.volume_type_id == id) for table in (schema.volumes, schema.snapshots, D)]
    if tx.execute(sa.select(sa.or_(*used))).scalar():
        raise errors.BadRequest("Target volume type is still in use: volumes, snapshots or a project's default are of "
                                f"type {id}.")
    if tx.execute(sa.delete(T).where(T.c.id == id)).rowcount == 0:
        raise errors.TypeNotFound(id=id)
    tx.execute(sa.delete(P).where(P.c.volume_type_id == id))


def in_use(tx: db.Transaction, id: str) -> bool:
    return tx.execute(sa.select(sa.exists().where(schema.volumes.c.volume_type_id == id))).scalar_one()


def projects(tx: db.Transaction, id: str) -> list[str]:
    query = sa.select(P.c.project_id).where(P.c.volume_type_id == id).order_by(P.c.project_id)
    return list(tx.execute(query).scalars())


def share(tx: db.Transaction, id: str, project_id: str) -> None:
    tx.execute(sa.insert(P).values(volume_type_id=id, project_id=project_id))


def unshare(tx: db.Transaction, id: str, project_id: str) -> bool:
    """False if it was not shared with the project."""
    return tx.execute(sa.delete(P).where(P.c.volume_type_id == id, P.c.project_id == project_id)).rowcount == 1


def defaults(tx: db.Transaction) -> Sequence[db.Row]:
    """Every project's default type."""
    return tx.execute(sa.select(D).order_by(D.c.project_id)).all()


def project_default(tx: db.Transaction, project_id: str) -> db.Row | None:
    return tx.execute(sa.select(D).where(D.c.project_id == project_id)).first()


def set_default(tx: db.Transaction, project_id: str, type_id: str) -> None:
    lock_shared(tx, type_id)
    tx.execute(sa.delete(D).where(D.c.project_id == project_id))
    tx.execute(sa.insert(D).values(project_id=project_id, volume_type_id=type_id))


def unset_default(tx: db.Transaction, project_id: str) -> None:
    tx.execute(sa.delete(D).where(D.c.project_id == project_id))
