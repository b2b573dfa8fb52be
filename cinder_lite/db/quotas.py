"""Claims and releases the usage of quotas, in the transaction of the rows that it counts.

Usage is a row per project, resource and type ("" for the whole project). A claim is one conditional UPDATE of all its
rows: unless all of them are below their limits, the transaction is refused. A transaction that changes usage and the
capacity of a pool changes usage first, which avoids deadlocks.
"""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from oslo_config import cfg

from cinder_lite import db, errors
from cinder_lite.db import quota_usage, schema, types
from cinder_lite.db.quota_usage import Key, U

Q, C = schema.quotas, schema.quota_classes

#: Resource -> the option with its default limit.
DEFAULTS = {"volumes": "quota_volumes", "snapshots": "quota_snapshots", "gigabytes": "quota_gigabytes",
            "backups": "quota_backups", "backup_gigabytes": "quota_backup_gigabytes", "groups": "quota_groups",
            "per_volume_gigabytes": "per_volume_size_limit"}
#: Resources that are limited per type as well.
PER_TYPE = ("volumes", "gigabytes", "snapshots")
DEFAULT_CLASS = "default"


@dataclasses.dataclass(frozen=True)
class Change:
    """The usage that a transaction adds to a project: {resource: n}, of a volume type."""

    project_id: str
    amounts: Mapping[str, int]
    type_id: str | None = None
    #: Change only the usage of the type, not that of the whole project.
    of_type_only: bool = False

    def rows(self) -> dict[Key, int]:
        """{(resource, type id or ""): n} in the order in which every transaction locks the rows."""
        rows = {} if self.of_type_only else {(resource, ""): n for resource, n in self.amounts.items() if n}
        if self.type_id:
            rows |= {(resource, self.type_id): n for resource, n in self.amounts.items() if n and resource in PER_TYPE}
        return dict(sorted(rows.items()))


@dataclasses.dataclass(frozen=True)
class Allowance:
    """The limits of a project, and its usage when it was read: {(resource, type_id): n}; no limit means unlimited."""

    limits: Mapping[Key, int]
    used: Mapping[Key, int]

    def limit(self, key: Key) -> int:
        return self.limits.get(key, -1)


_ALLOWANCE = sa.union_all(
    sa.select(sa.literal_column("0").label("rank"), C.c.resource, C.c.type_id, C.c.hard_limit)
    .where(C.c.class_name == DEFAULT_CLASS),
    sa.select(sa.literal_column("1"), Q.c.resource, Q.c.type_id, Q.c.hard_limit)
    .where(Q.c.project_id == sa.bindparam("project_id")),
    sa.select(sa.literal_column("2"), U.c.resource, U.c.type_id, U.c.in_use)
    .where(U.c.project_id == sa.bindparam("project_id")))


def allowance(tx: db.Transaction, conf: cfg.ConfigOpts, project_id: str | None) -> Allowance:
    """The project's allowance, by one statement."""
    limits = {(resource, ""): conf[option] for resource, option in DEFAULTS.items()}
    used: dict[Key, int] = {}
    for rank, resource, type_id, n in sorted(tx.execute(_ALLOWANCE, {"project_id": project_id}).all()):
        (used if int(rank) == 2 else limits)[resource, type_id] = n
    return Allowance(limits, used)


def claim(tx: db.Transaction, change: Change, allowance: Allowance) -> None:
    """Add to the usage, or raise OverQuota, which names the resource that exceeds its limit most."""
    rows = change.rows()
    if not rows:
        return
    limited = [key for key, n in rows.items() if n > 0 and allowance.limit(key) >= 0]
    # A claim that exceeded the limits when they were read does not wait for the locks of the rows.
    full = [key for key in limited if allowance.used.get(key, 0) + rows[key] > allowance.limit(key)]
    if not full:
        missing = sorted(rows.keys() - allowance.used.keys())
        if change.type_id and any(type_id for _, type_id in missing):
            types.lock_shared(tx, change.type_id)
        for resource, type_id in missing:
            quota_usage.insert_if_missing(tx, change.project_id, resource, type_id)
        if _add(tx, change.project_id, rows, allowance) == len(rows):
            return
        if change.type_id:  # the deletion of a type locks its usage, and deletes it first
            types.lock_shared(tx, change.type_id)
    # Usage is read again unless the limits were exceeded before: another transaction has claimed the rest meanwhile.
    used, limited = (allowance.used, full) if full else (quota_usage.usages(tx, change.project_id), limited)
    tightest = min(limited, key=lambda key: allowance.limit(key) - used.get(key, 0) - rows[key])
    raise quota_usage.over_quota(*tightest, rows[tightest], allowance.limit(tightest), used.get(tightest, 0))


def _add(tx, project_id, rows, allowance):
    limited = tuple(bool(n > 0 and allowance and allowance.limit(key) >= 0) for key, n in rows.items())
    given = {"project": project_id}
    for i, ((resource, type_id), n) in enumerate(rows.items()):
        given |= {f"resource_{i}": resource, f"type_{i}": type_id, f"n_{i}": n}
        if limited[i]:
            given[f"limit_{i}"] = allowance.limit((resource, type_id))
    return tx.execute(_adding(limited, tx.dialect.name == "postgresql"), given).rowcount


@functools.cache
def _adding(limited, in_order):
    """The UPDATE of so many rows, each with a limit or without: to build it takes longer than to execute it."""
    mine = [sa.and_(U.c.resource == sa.bindparam(f"resource_{i}"), U.c.type_id == sa.bindparam(f"type_{i}"))
            for i in range(len(limited))]
    added = [sa.bindparam(f"n_{i}", type_=sa.Integer) for i in range(len(limited))]
    fits = [sa.and_(mine[i], U.c.in_use + added[i] <= sa.bindparam(f"limit_{i}")) if has_limit else mine[i]
            for i, has_limit in enumerate(limited)]
    where = [U.c.project_id == sa.bindparam("project"), sa.or_(*fits), *(_in_order(mine) if in_order else ())]
    return sa.update(U).where(*where).values(in_use=U.c.in_use + sa.case(*zip(mine, added, strict=True)))


def _in_order(mine):
    """Conditions that make PostgreSQL's UPDATE lock its rows in the order of their keys, which avoids deadlocks.

    It updates rows in their physical order, which every update changes; the other databases use the key's order.
    """
    locked = sa.select(U.c.resource, U.c.type_id).where(
        U.c.project_id == sa.bindparam("project"), sa.or_(*mine)).order_by(
        U.c.resource, U.c.type_id).with_for_update().cte("locked")
    return U.c.resource == locked.c.resource, U.c.type_id == locked.c.type_id


def check_max_size(size: int, conf: cfg.ConfigOpts) -> None:
    """Raise InvalidInput for a volume larger than max_volume_size; clients expect quotas to be checked first."""
    if size > conf.max_volume_size:
        raise errors.InvalidInput(reason=f"A volume can have {conf.max_volume_size} GiB at most, not {size}.")


def check_volume_size(size: int, allowance: Allowance) -> None:
    """Raise OverQuota for a volume larger than the limit per volume."""
    limit = allowance.limit(("per_volume_gigabytes", ""))
    if 0 <= limit < size:
        raise errors.OverQuota(code="VolumeSizeExceedsLimit", reason=(
            f"Requested volume size {size}G is larger than the maximum allowed limit {limit}G."))


def snapshot_share(conf: cfg.ConfigOpts, row: Any) -> Change:
    """The usage of a snapshot's row."""
    amounts = {"snapshots": 1} if conf.no_snapshot_gb_quota else {"snapshots": 1, "gigabytes": row.size}
    return Change(row.project_id, amounts, row.volume_type_id)


def backup_share(project_id: str, size: int) -> Change:
    """The usage of a backup's row."""
    return Change(project_id, {"backups": 1, "backup_gigabytes": size})


def release(tx: db.Transaction, change: Change) -> None:
    """Subtract from the usage, for deleted rows."""
    rows = {key: -n for key, n in change.rows().items()}
    if rows:
        _add(tx, change.project_id, rows, None)
