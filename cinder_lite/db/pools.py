"""Reads and writes the rows of pools: the capacity that backends report, and the capacity allocated since."""

import datetime
import functools
import operator
from collections.abc import Collection, Sequence
from typing import Any, Protocol

import sqlalchemy as sa

from cinder_lite import db
from cinder_lite.db import members, schema

P, S, V = schema.pools, schema.services, schema.volumes


class Bounds(Protocol):
    """The capacity that a request needs, as jobs.pool_capacity computes it."""

    @property
    def take(self) -> float: ...
    @property
    def provisioned_limit(self) -> float | None: ...
    @property
    def free_needed(self) -> float | None: ...
    @property
    def free_taken(self) -> float: ...


_WITH_SERVICES = sa.select(
    *(column for column in P.c if column is not P.c.service_host), S.c.host.label("service_host"),
    S.c.availability_zone, S.c.disabled, S.c.frozen, S.c.backend_up, S.c.backend_reason, S.c.seen_at).select_from(
        S.outerjoin(P, P.c.service_host == S.c.host)).where(members.ARE_BACKENDS)


def with_services(tx: db.Transaction, service_hosts: Collection[str | None] | None = None) -> Sequence[db.Row]:
    """Every pool, or those of these services, with its service's state; a service without pools has one row."""
    query = _WITH_SERVICES if service_hosts is None else _WITH_SERVICES.where(S.c.host.in_(service_hosts))
    # Sorted here: MariaDB would make a temporary table for it.
    return sorted(tx.execute(query), key=lambda row: (row.service_host, row.name or ""))


#: All of a service that is a part of its pools, as one text.
_FLAGS = S.c.disabled, S.c.frozen, S.c.backend_up, sa.func.coalesce(S.c.seen_at >= sa.bindparam("alive_since"), False)
_STATE = functools.reduce(operator.add, (*(sa.cast(flag, sa.String) for flag in _FLAGS), S.c.availability_zone, "\n",
                                         sa.func.coalesce(S.c.backend_reason, "")))
#: What changes of a pool between two measurements, by the names of a Pool.
CHANGING = ("provisioned_gb", "allocated_gb", "volume_count", "free_gb")
# Without a join: it would take longer than all else.
_CHANGING = sa.union_all(
    sa.select(P.c.name, P.c.measured_at, *(P.c[name] for name in CHANGING), sa.null().label("state")),
    sa.select(S.c.host, sa.null(), *(sa.null() for _ in CHANGING), _STATE).where(members.ARE_BACKENDS))


def changing(tx: db.Transaction, down_time: float) -> tuple[list[tuple[Any, ...]], dict[str, str]]:
    """(name, time of measurement, CHANGING) of all pools by name; and {service: its state as a text}.

    The rows are the driver's, whose times need not be datetimes: SQLAlchemy's take twice the time to make and compare.
    """
    alive_since = db.now() - datetime.timedelta(seconds=down_time)
    rows = sorted(tx.execute(_CHANGING, {"alive_since": alive_since}).cursor.fetchall(), key=operator.itemgetter(0))
    return [row for row in rows if row[-1] is None], {row[0]: row[-1] for row in rows if row[-1] is not None}


def take(tx: db.Transaction, name: str, size: int, count: int, bounds: Bounds) -> bool:
    """Allocate `size` GiB and `count` volumes. False if the pool has not enough capacity.

    `bounds` is computed by the rule that the capacity filter applies, which is checked again here.
    """
    needs = {"limit": bounds.provisioned_limit, "needed": bounds.free_needed, "taken": bounds.free_taken or None}
    given = {"pool": name, "size": size, "number": count, "take": bounds.take, **needs}
    statement = _taking(*(value is not None for value in needs.values()))
    return tx.execute(statement, {key: value for key, value in given.items() if value is not None}).rowcount == 1


@functools.cache
def _taking(has_limit, needs_free, takes_free):
    where, taken = [P.c.name == sa.bindparam("pool")], _more(sa.bindparam("size"), sa.bindparam("number"))
    if has_limit:
        where.append(P.c.provisioned_gb + sa.bindparam("take") <= sa.bindparam("limit"))
    if needs_free:
        where.append(P.c.free_gb >= sa.bindparam("needed"))
    if takes_free:
        taken["free_gb"] = P.c.free_gb - sa.bindparam("taken")  # thick, also in a pool that has thin volumes
    return sa.update(P).where(*where).values(taken)


def give_back(tx: db.Transaction, name: str | None, size: int, count: int) -> None:
    """Undo `take`."""
    if name is not None:
        tx.execute(_taking(False, False, False), {"pool": name, "size": -size, "number": -count})


def _more(size, count):
    return {"provisioned_gb": P.c.provisioned_gb + size, "allocated_gb": P.c.allocated_gb + size,
            "volume_count": P.c.volume_count + count,
            "free_gb": sa.case((P.c.thin.is_(True), P.c.free_gb), else_=P.c.free_gb - size)}
