"""Reads and writes the rows of pools: the capacity that backends report, and the capacity allocated since."""

import datetime
import functools
import operator
from collections.abc import Collection, Sequence
from typing import Protocol

import sqlalchemy as sa

from cinder_lite import db
from cinder_lite.db import schema

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
        S.outerjoin(P, P.c.service_host == S.c.host)).where(S.c.binary == "cinder-volume")


def with_services(tx: db.Transaction, service_hosts: Collection[str | None] | None = None) -> Sequence[db.Row]:
    """Every pool, or those of these services, with its service's state; a service without pools has one row."""
    query = _WITH_SERVICES if service_hosts is None else _WITH_SERVICES.where(S.c.host.in_(service_hosts))
    # Sorted here: MariaDB would make a temporary table for it.
    return sorted(tx.execute(query), key=lambda row: (row.service_host, row.name or ""))


#: What changes between two measurements of a pool, by the names of a Pool; its service and its name come first.
_CHANGING = sa.select(
    S.c.host, P.c.name, P.c.measured_at, sa.func.coalesce(S.c.seen_at >= sa.bindparam("alive_since"), False).label(
        "service_up"), P.c.provisioned_gb, P.c.allocated_gb, P.c.volume_count, P.c.free_gb, S.c.availability_zone,
    S.c.disabled.label("service_disabled"), S.c.frozen, S.c.backend_up,
    sa.func.coalesce(S.c.backend_reason, "").label("backend_reason")).select_from(
        S.outerjoin(P, P.c.service_host == S.c.host)).where(S.c.binary == "cinder-volume")
CHANGING = _CHANGING.selected_columns.keys()[3:]


def changing(tx: db.Transaction, down_time: float) -> Sequence[db.Row]:
    """The rows of `with_services`, in its order: service, name of the pool, time of its measurement, CHANGING."""
    alive_since = db.now() - datetime.timedelta(seconds=down_time)
    return sorted(tx.execute(_CHANGING, {"alive_since": alive_since}), key=operator.itemgetter(0, 1))


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
