"""Records clusters: volume services of several hosts that serve one backend at the same time.

A cluster is a row of `services` whose `cluster_name` is its own host. Volumes, pools and jobs have its name as their
host, and the administrator's settings are in it. Its members have rows, heartbeats and processes of their own, and its
name as their `cluster_name`.
"""

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from cinder_lite import db, states
from cinder_lite.db import schema

J, S = schema.jobs, schema.services
BINARY = "cinder-volume"
#: The condition of rows that have pools: of clusters, and of volume services that are in none.
ARE_BACKENDS = sa.and_(S.c.binary == BINARY, sa.or_(S.c.cluster_name.is_(None), S.c.cluster_name == S.c.host))
#: The condition of rows of processes: of all services but clusters.
IS_PROCESS = sa.or_(S.c.cluster_name.is_(None), S.c.cluster_name != S.c.host)


def find(tx: db.Transaction, name: str) -> db.Row | None:
    """The row of a cluster, or None."""
    return tx.execute(sa.select(S).where(S.c.binary == BINARY, S.c.host == name, S.c.cluster_name == name)).first()


def beat(tx: db.Transaction, name: str, id: str, zone: str, columns: Mapping[str, Any], down_time: float) -> Any:
    """Record a member's heartbeat in the row of its cluster; the first one inserts it with that id. Returns the row.

    A member whose backend is down leaves the state that others, which have been seen within `down_time` seconds, have
    recorded of a backend that is up.
    """
    now = db.now()
    is_left = sa.and_(S.c.backend_up.is_(True), S.c.seen_at >= now - datetime.timedelta(seconds=down_time))
    values = {**columns, "cluster_name": name, "availability_zone": zone, "seen_at": now}
    tx.execute(sa.update(S).where(S.c.binary == BINARY, S.c.host == name, sa.true() if columns["backend_up"]
                                  else ~sa.func.coalesce(is_left, False)).values(values))
    row = find(tx, name)
    if row is None:
        tx.execute(sa.insert(S).values(uuid=id, binary=BINARY, host=name, created_at=now, **values))
        row = find(tx, name)
    return row


def settle(tx: db.Transaction, name: str) -> None:
    """Record in a cluster's row which heartbeat of its members is the latest: one of them has stopped."""
    latest = tx.scalar(sa.select(sa.func.max(S.c.seen_at)).where(S.c.cluster_name == name, S.c.host != name))
    tx.execute(sa.update(S).where(S.c.binary == BINARY, S.c.host == name).values(seen_at=latest, updated_at=db.now()))


def backends(tx: db.Transaction) -> Sequence[db.Row]:
    """The rows of all backends: of clusters, and of volume services that are in none."""
    return tx.execute(sa.select(S).where(ARE_BACKENDS).order_by(S.c.host)).all()


def clusters(tx: db.Transaction) -> Sequence[tuple[db.Row, list[db.Row]]]:
    """(the row of a cluster, the rows of its members) of each cluster, by name."""
    rows = tx.execute(sa.select(S).where(S.c.cluster_name.is_not(None)).order_by(S.c.host)).all()
    return [(row, [one for one in rows if one.cluster_name == row.host and one.host != row.host])
            for row in rows if row.cluster_name == row.host]


def of_host(tx: db.Transaction, host: str) -> Sequence[db.Row]:
    """The rows of clusters; `host` is the whole name or the part before @."""
    return tx.execute(sa.select(S).where(S.c.cluster_name == S.c.host, sa.or_(
        S.c.host == host, S.c.host.startswith(f"{host}@", autoescape=True)))).all()


def may_be_running(tx: db.Transaction, job: db.Row) -> bool:
    """Whether the worker of another job of the same resource, which was ended from outside, may still be running."""
    return tx.execute(sa.select(J.c.id).where(
        J.c.resource_id == job.resource_id, J.c.id != job.id, J.c.status.not_in(states.LIVE_JOB),
        J.c.lease_until > db.now())).first() is not None
