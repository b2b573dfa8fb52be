"""Claims and releases what rows count: their quota, and a volume's pool capacity."""

from collections.abc import Iterable, Sequence
from typing import Any

from oslo_config import cfg

from cinder_lite import db, states
from cinder_lite.db import pools, quotas
from cinder_lite.db import types as volume_types
from cinder_lite.jobs import pool_claims
from cinder_lite.jobs.holds.base import Holding, Start
from cinder_lite.jobs.lifecycle import VOLUME


class Counted(Holding, of=states.Counted):
    """See states.Counted. What exists was counted when its row was inserted, and is until the row is gone."""

    @staticmethod
    def claim(tx: db.Transaction, conf: cfg.ConfigOpts, _hold: states.Counted, start: Start) -> None:
        if not start.action.begins:
            count(tx, conf, start.kind, [start.row], start.limits)

    @staticmethod
    def placed(tx: db.Transaction, volume: db.Row, pool: str, zone: str) -> None:
        VOLUME.write(tx, volume.id, host=pool, availability_zone=zone)

    @staticmethod
    def release(tx: db.Transaction, conf: cfg.ConfigOpts, _hold: states.Counted, _job: db.Row, kind: str,
                row: db.Row | None) -> None:
        if row is not None and getattr(row, "counted", False):
            uncount(tx, conf, [(kind, row)])


def count(tx: db.Transaction, conf: cfg.ConfigOpts, kind: str, rows: Sequence[Any],
          allowance: quotas.Allowance) -> None:
    """Claim what new rows of the kind use: their quota, and the capacity of volumes that have a pool.

    Raises OverQuota, or NoCapacity when a pool has not so much any more.
    """
    sums: dict[tuple[str, str], dict[str, int]] = {}
    for row in rows:
        change = share(conf, kind, row)
        amounts = sums.setdefault((change.project_id, change.type_id or ""), {})
        for resource, n in change.amounts.items():
            amounts[resource] = amounts.get(resource, 0) + n
    for (project_id, type_id), amounts in sorted(sums.items()):
        quotas.claim(tx, quotas.Change(project_id, amounts, type_id or None), allowance)
    if kind == "volume":
        _take_capacity(tx, conf, [row for row in rows if row.host is not None])


def share(conf: cfg.ConfigOpts, kind: str, row: Any) -> quotas.Change:
    """The quota that a row uses."""
    if kind == "volume":
        return quotas.Change(row.project_id, {"volumes": 1, "gigabytes": row.size}, row.volume_type_id)
    if kind == "snapshot":
        return quotas.snapshot_share(conf, row)
    if kind == "backup":
        return quotas.backup_share(row.project_id, row.size)
    return quotas.Change(row.project_id, {"groups": 1})


def _take_capacity(tx, conf, placed):
    """Take the capacity of volumes, by pool and type, which says how much they take."""
    sums = {}
    for row in placed:
        key = row.host, row.volume_type_id or ""
        size, n = sums.get(key, (0, 0))
        sums[key] = size + row.size, n + 1
    for (pool, type_id), (size, n) in sorted(sums.items()):
        type_ = volume_types.find(tx, type_id)
        pool_claims.take(tx, conf, pool, size, n, type_ and type_.extra_specs)


def uncount(tx: db.Transaction, conf: cfg.ConfigOpts, counted: Iterable[tuple[str, Any]]) -> None:
    """Release what rows, given as (kind, row), have counted."""
    counted = list(counted)
    for kind, row in counted:
        quotas.release(tx, share(conf, kind, row))
    for kind, row in counted:
        if kind == "volume":
            pools.give_back(tx, row.host, row.size, 1)
