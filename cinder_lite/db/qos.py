"""Reads and writes the rows of QoS specs, and their association with volume types."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from cinder_lite import db, errors
from cinder_lite.concurrency import randomness
from cinder_lite.db import listing, schema

Q, T = schema.qos_specs, schema.volume_types
LISTING = listing.Resource(Q, frozenset(("id", "name", "consumer", "created_at", "updated_at")), sa.select(Q),
                           errors.QosNotFound)
get = LISTING.existing
FILTERS = ("id", "name", "consumer")


def page(tx: db.Transaction, wanted: Mapping[str, str], paging: listing.Paging) -> list[Any]:
    """Specs with these values in the columns of FILTERS."""
    return LISTING.rows(tx, [Q.c[column] == value for column, value in wanted.items()], paging)


def create(tx: db.Transaction, name: str, consumer: str, specs: Mapping[str, str]) -> str:
    """Returns the id. Raises Duplicate for an existing name."""
    id = randomness.new_id()
    tx.execute(sa.insert(Q).values(id=id, name=name, consumer=consumer, specs=specs, created_at=db.now()))
    return id


def held(tx: db.Transaction, id: str) -> db.Row:
    """The spec, locked until the transaction ends. Raises QosNotFound."""
    row = tx.execute(sa.select(Q).where(Q.c.id == id).with_for_update()).first()
    if row is None:
        raise errors.QosNotFound(id=id)
    return row


def update(tx: db.Transaction, id: str, **values: Any) -> None:
    tx.execute(sa.update(Q).where(Q.c.id == id).values(updated_at=db.now(), **values))


def delete(tx: db.Transaction, id: str) -> None:
    """Delete the spec and disassociate its types."""
    disassociate_all(tx, id)
    tx.execute(sa.delete(Q).where(Q.c.id == id))


def types_of(tx: db.Transaction, id: str) -> Sequence[db.Row]:
    """The types that the spec is associated with."""
    return tx.execute(sa.select(T.c.id, T.c.name).where(T.c.qos_specs_id == id).order_by(T.c.name)).all()


def associate(tx: db.Transaction, id: str, type_id: str) -> bool:
    """Associate the type with the spec. False if it has another one."""
    changed = tx.execute(sa.update(T).where(T.c.id == type_id, sa.or_(
        T.c.qos_specs_id.is_(None), T.c.qos_specs_id == id)).values(qos_specs_id=id, updated_at=db.now()))
    return changed.rowcount == 1


def disassociate(tx: db.Transaction, id: str, type_id: str) -> None:
    tx.execute(sa.update(T).where(T.c.id == type_id, T.c.qos_specs_id == id).values(
        qos_specs_id=None, updated_at=db.now()))


def disassociate_all(tx: db.Transaction, id: str) -> None:
    tx.execute(sa.update(T).where(T.c.qos_specs_id == id).values(qos_specs_id=None, updated_at=db.now()))


def of_type(tx: db.Transaction, type_id: str | None) -> tuple[str | None, dict[str, str] | None]:
    """The consumer and the specs of a type's spec; (None, None) if it has none."""
    row = tx.execute(sa.select(Q.c.consumer, Q.c.specs).join(T, T.c.qos_specs_id == Q.c.id).where(
        T.c.id == type_id)).first()
    return tuple(row) if row is not None else (None, None)


def of_back_ends(tx: db.Transaction) -> Sequence[db.Row]:
    """Types with QoS specs for backends: rows with the type's id, name and extra_specs, consumer and qos_name."""
    return tx.execute(sa.select(T.c.id, T.c.name, T.c.extra_specs, Q.c.consumer, Q.c.name.label("qos_name")).join(
        Q, T.c.qos_specs_id == Q.c.id).where(Q.c.consumer.in_(("back-end", "both"))).order_by(T.c.name)).all()
