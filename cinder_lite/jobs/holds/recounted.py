"""Changes what rows count while they exist, and releases it when they are deleted."""

import dataclasses
from collections.abc import Iterable
from typing import Any

from oslo_config import cfg

from cinder_lite import db, states
from cinder_lite.db import attachments, connections, metadata_index, pools, quotas, transfers
from cinder_lite.jobs.holds.counted import share, uncount
from cinder_lite.jobs.lifecycle import KINDS, VOLUME


def count_size(tx: db.Transaction, conf: cfg.ConfigOpts, kind: str, row: db.Row, size: int,
               allowance: quotas.Allowance) -> None:
    """Claim the GiB of a row that was counted before its size was known. Raises OverQuota."""
    if kind == "volume" or not conf.no_snapshot_gb_quota:
        quotas.claim(tx, quotas.Change(row.project_id, {"gigabytes": size}, row.volume_type_id), allowance)
    if kind == "volume":
        pools.give_back(tx, row.host, -size, 0)  # it is there already, whether the pool has room or not


def leave_pool(tx: db.Transaction, row: db.Row) -> None:
    """Release the capacity of the pool that a volume was placed on in vain: it is to be placed on another."""
    pools.give_back(tx, row.host, row.size, 1)
    VOLUME.write(tx, row.id, host=None)


def change_owner(tx: db.Transaction, conf: cfg.ConfigOpts, counted: Iterable[tuple[str, Any]], project_id: str,
                 allowance: quotas.Allowance) -> None:
    """Count rows, given as (kind, row), for another project, whose allowance that is. Raises OverQuota."""
    for kind, row in counted:
        change = share(conf, kind, row)
        quotas.claim(tx, dataclasses.replace(change, project_id=project_id), allowance)
        quotas.release(tx, change)


def succeed_without_job(tx: db.Transaction, conf: cfg.ConfigOpts, kind: str, row: db.Row, action: str) -> None:
    """End as succeeded an action without a job, after which the resource is gone; `row` was read before."""
    KINDS[kind].settle(tx, row.id, action, True)
    forget(tx, conf, [(kind, row)])


def forget(tx: db.Transaction, conf: cfg.ConfigOpts, gone: Iterable[tuple[str, Any]]) -> None:
    """Remove what belongs to rows that were deleted, given as (kind, row): index, attachments, transfers, quota,
    capacity."""
    gone = list(gone)
    for kind, row in gone:
        if kind in ("volume", "snapshot") and (row.metadata or getattr(row, "admin_metadata", None)):
            metadata_index.remove(tx, row.id)
        if kind == "volume":
            # A volume that was available and detached has neither.
            if (row.previous_status, row.attach_status) != (states.AVAILABLE, states.DETACHED):
                attachments.delete_all(tx, row.id)
                transfers.delete_of_volume(tx, row.id)
            connections.delete_all(tx, row.id)
    uncount(tx, conf, [(kind, row) for kind, row in gone if getattr(row, "counted", True)])
