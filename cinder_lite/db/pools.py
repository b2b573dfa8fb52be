"""Reads and writes the rows of pools: the capacity that backends report, and the capacity allocated since."""

from collections.abc import Sequence
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
        S.outerjoin(P, P.c.service_host == S.c.host)).where(S.c.binary == "cinder-volume").order_by(S.c.host, P.c.name)


def with_services(tx: db.Transaction, service_host: str | None = None) -> Sequence[db.Row]:
    """Every pool with its service's state; a service without pools has one row."""
    query = _WITH_SERVICES.where(S.c.host == service_host) if service_host else _WITH_SERVICES
    return tx.execute(query).all()


def take(tx: db.Transaction, name: str, size: int, count: int, bounds: Bounds) -> bool:
    """Allocate `size` GiB and `count` volumes. False if the pool has not enough capacity.

    `bounds` is computed by the rule that the capacity filter applies, which is checked again here.
    """
    where = [P.c.name == name]
    if bounds.provisioned_limit is not None:
        where.append(P.c.provisioned_gb + bounds.take <= bounds.provisioned_limit)
    if bounds.free_needed is not None:
        where.append(P.c.free_gb >= bounds.free_needed)
    taken = _more(size, count)
    if bounds.free_taken:
        taken["free_gb"] = P.c.free_gb - bounds.free_taken  # thick, also in a pool that has thin volumes
    return tx.execute(sa.update(P).where(*where).values(taken)).rowcount == 1


def give_back(tx: db.Transaction, name: str | None, size: int, count: int) -> None:
    """Undo `take`."""
    if name is not None:
        tx.execute(sa.update(P).where(P.c.name == name).values(_more(-size, -count)))


def _more(size, count):
    return {"provisioned_gb": P.c.provisioned_gb + size, "allocated_gb": P.c.allocated_gb + size,
            "volume_count": P.c.volume_count + count,
            "free_gb": sa.case((P.c.thin.is_(True), P.c.free_gb), else_=P.c.free_gb - size)}
