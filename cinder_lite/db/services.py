"""Reads and writes the rows of services: heartbeats, settings, and which services are up."""

import datetime
import functools
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from cinder_lite import db, errors
from cinder_lite.concurrency import randomness
from cinder_lite.db import members, schema

S = schema.services
ROW = sa.select(S)
#: Seconds within which a service that has ended in order is expected back.
RESTART = 10.0


def take(tx: db.Transaction, binary: str, host: str, instance: str, lock: str, down_time: float) -> bool:
    """Give a process the name of a service. Returns whether a former process of the name has surely ended.

    `lock` is that of host_lock.HostLock, which the process holds: a former one with the same lock has ended. One on
    another machine may be up for `down_time` seconds after its last heartbeat, unless it has recorded its end. Raises
    NameTaken.
    """
    row = find(tx, binary, host)
    if row is None:
        return True
    # A former release records no lock.
    is_here = row.lock_id in (None, lock)
    is_down = sa.or_(S.c.seen_at.is_(None), S.c.seen_at < db.now() - datetime.timedelta(seconds=down_time))
    taken = tx.execute(sa.update(S).where(
        S.c.id == row.id, S.c.instance == row.instance if row.instance else S.c.instance.is_(None),
        sa.true() if is_here else is_down).values(instance=instance, lock_id=lock))
    if taken.rowcount == 0:
        raise _taken(row)
    return is_here


def beat(tx: db.Transaction, binary: str, host: str, zone: str, instance: str, **values: Any) -> db.Row:
    """Record a heartbeat; the first one inserts the row. Returns the row. Raises NameTaken."""
    where = (S.c.binary == binary, S.c.host == host)
    changed = tx.execute(sa.update(S).where(*where, S.c.instance == instance).values(
        availability_zone=zone, seen_at=db.now(), **values))
    if changed.rowcount == 0:
        row = find(tx, binary, host)
        if row is not None:
            raise _taken(row)
        tx.execute(sa.insert(S).values(uuid=randomness.new_id(), binary=binary, host=host, availability_zone=zone,
                                       instance=instance, created_at=db.now(), seen_at=db.now(), **values))
    return tx.execute(ROW.where(*where)).one()


def _taken(row):
    return errors.NameTaken(binary=row.binary, host=row.host, machine=(row.lock_id or "?").partition("/")[0])


def mark_down(tx: db.Transaction, binary: str, host: str, instance: str) -> None:
    """Record that the service stops: it is down at once, not only after service_down_time."""
    tx.execute(sa.update(S).where(S.c.binary == binary, S.c.host == host, S.c.instance == instance).values(
        seen_at=None, updated_at=db.now()))


def is_up(row: Any, down_time: float) -> bool:
    """Whether the last heartbeat is no older than `down_time` seconds."""
    return db.is_recent(row.seen_at, down_time)


def restarts(tx: db.Transaction, binary: str, host: str | None) -> bool:
    """Whether the service has ended in order just now, as for a restart: the broker keeps calls until it is back."""
    row = find(tx, binary, host)
    return row is not None and row.seen_at is None and db.is_recent(row.updated_at, RESTART)


def is_down(tx: db.Transaction, binary: str, host: str | None, down_time: float) -> bool:
    """Whether the service is registered and is down."""
    row = find(tx, binary, host)
    return row is not None and not is_up(row, down_time)


def of_host(host: sa.ColumnElement) -> sa.ColumnElement[bool]:
    """The condition of the volume service that a column with host strings (host@backend#pool) names."""
    # A value, which the index of services finds: a condition on a prefix would be tried on each of them.
    return sa.and_(S.c.binary == "cinder-volume", S.c.host == sa.func.regexp_replace(host, "#.*", ""))


@functools.cache
def down(host: sa.ColumnElement, down_time: float) -> sa.Label[bool]:
    """The column `service_down`: whether the volume service of a host string is registered and is down."""
    # The time is that of the execution: the column is built once.
    alive_since: sa.BindParameter[Any] = sa.bindparam(
        "alive_since", callable_=lambda: db.now() - datetime.timedelta(seconds=down_time))
    late = S.c.seen_at < alive_since
    return sa.exists().where(of_host(host), sa.or_(S.c.seen_at.is_(None), late)).label("service_down")


def page(tx: db.Transaction, host: str | None = None, binary: str | None = None) -> Sequence[db.Row]:
    """Services by binary and host, without clusters; `host` matches the whole name or the part before @."""
    query = ROW.where(members.IS_PROCESS)
    if host:
        query = query.where(sa.or_(S.c.host == host, S.c.host.startswith(host + "@", autoescape=True)))
    if binary:
        query = query.where(S.c.binary == binary)
    return tx.execute(query.order_by(S.c.id)).all()


def zones(tx: db.Transaction) -> Sequence[str]:
    """The zone of each enabled volume service, up or down."""
    return tx.scalars(sa.select(S.c.availability_zone).where(members.ARE_BACKENDS, ~S.c.disabled)).all()


def find(tx: db.Transaction, binary: str, host: str | None) -> db.Row | None:
    return tx.execute(ROW.where(S.c.binary == binary, S.c.host == host)).first()


def get(tx: db.Transaction, binary: str, host: str) -> db.Row:
    row = find(tx, binary, host)
    if row is None:
        raise errors.ServiceNotFound(binary=binary, host=host)
    return row


def switch(tx: db.Transaction, binary: str, host: str, **values: Any) -> None:
    """Set columns (disabled, disabled_reason, frozen). Raises ServiceNotFound."""
    changed = tx.execute(sa.update(S).where(S.c.binary == binary, S.c.host == host).values(
        updated_at=db.now(), **values))
    if changed.rowcount == 0:
        raise errors.ServiceNotFound(binary=binary, host=host)


def remove(tx: db.Transaction, binary: str, host: str) -> None:
    if tx.execute(sa.delete(S).where(S.c.binary == binary, S.c.host == host)).rowcount == 0:
        raise errors.ServiceNotFound(binary=binary, host=host)


def up(tx: db.Transaction, binary: str, down_time: float, zone: str | None = None) -> list[db.Row]:
    """The services of a binary that are up and enabled."""
    return [row for row in page(tx, binary=binary) if is_up(row, down_time) and not row.disabled
            and (zone is None or row.availability_zone == zone)]


def try_to_write(tx: db.Transaction) -> None:
    """Insert and delete a row, which fails if the disk is full or the server is read-only."""
    id = randomness.new_id()
    tx.execute(sa.insert(S).values(uuid=id, binary="", host=id, availability_zone="", backend_reason=" " * 4096,
                                   created_at=db.now()))
    tx.execute(sa.delete(S).where(S.c.host == id))
