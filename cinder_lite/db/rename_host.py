"""Renames hosts, backends and pools in all rows that refer to them."""

from collections.abc import Callable

import sqlalchemy as sa

from cinder_lite import db, states
from cinder_lite.db import audit, schema

B, G, J, P, S, V = schema.backups, schema.groups, schema.jobs, schema.pools, schema.services, schema.volumes
#: Arguments of jobs that are host strings.
ARGUMENTS = ("to", "to_host")


def rename(tx: db.Transaction, current: str, new: str, rename_one: Callable[[str], str | None]) -> dict[str, int]:
    """Rename all hosts at `current` to `rename_one(host)`, which is at `new`. Returns {noun: number of rows}.

    The usage of the pools is recalculated. The services update their own rows.
    """
    counts = {"volume": _renamed(tx, V, rename_one, current), "group": _renamed(tx, G, rename_one, current),
              "job": _renamed(tx, J, rename_one, current)}
    for job in tx.execute(sa.select(J.c.id, J.c.args).where(J.c.status.in_(states.LIVE_JOB))).all():
        args = {key: rename_one(value) if key in ARGUMENTS and _is_at(value, current) else value
                for key, value in job.args.items()}
        if args != job.args:
            tx.execute(sa.update(J).where(J.c.id == job.id).values(args=args))
    for row, _, _ in audit.pool_differences(tx):
        if _is_at(row.name, current) or _is_at(row.name, new):
            audit.rewrite_pool(tx, row.name)
    return counts


def _is_at(host, current):
    return host == current or str(host).startswith((f"{current}@", f"{current}#"))


def _renamed(tx, table, rename_one, current):
    """Rename the hosts of a table; ended jobs keep their host. Returns the number of rows."""
    where = [table.c.status.in_(states.LIVE_JOB), table.c.stage == "volume"] if table is J else []
    moved = 0
    for host in tx.execute(sa.select(table.c.host).where(*where).distinct()).scalars().all():
        if host and _is_at(host, current):
            values = {"host": rename_one(host)}
            if table is V:
                values["service_uuid"] = _service(tx, values["host"])
            moved += tx.execute(sa.update(table).where(table.c.host == host, *where).values(**values)).rowcount
    return moved


def _service(tx, host):
    return tx.execute(sa.select(S.c.uuid).where(
        S.c.binary == "cinder-volume", S.c.host == host.partition("#")[0])).scalar()


def jobs_at(tx: db.Transaction, service_host: str) -> int:
    """The number of live jobs of a volume service."""
    return tx.execute(sa.select(sa.func.count()).where(
        J.c.stage == "volume", J.c.host == service_host, J.c.status.in_(states.LIVE_JOB))).scalar_one()


def rename_backups(tx: db.Transaction, current: str, new: str) -> int:
    """Assign the backups and live jobs of a backup service to another. Returns the number of backups."""
    tx.execute(sa.update(J).where(J.c.stage == "backup", J.c.host == current, J.c.status.in_(states.LIVE_JOB)).values(
        host=new))
    return tx.execute(sa.update(B).where(B.c.host == current).values(host=new)).rowcount
