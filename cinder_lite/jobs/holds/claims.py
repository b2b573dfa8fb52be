"""Begins actions: sets the status, records the job, and claims all that the action's row in the package states holds.

What a row holds is claimed from its last hold to its first, and released from the first to the last.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from oslo_config import cfg

from cinder_lite import context, db, errors, states
from cinder_lite.db import pools, quotas
from cinder_lite.db.guards import Guard
from cinder_lite.jobs import pool_capacity
from cinder_lite.jobs.holds.base import OF, Further, Start, as_row
from cinder_lite.jobs.lifecycle import KINDS


def insert(tx: db.Transaction, conf: cfg.ConfigOpts, ctx: context.Context | None, kind: str, action: str,
           values: Mapping[str, Any], *, allowance: quotas.Allowance | None = None, further: Further = Further(),
           **job: Any) -> str | None:
    """Insert a new resource, and claim what its action holds; otherwise as Lifecycle.insert.

    `allowance` is that of the project, where quota is claimed. Raises what the claims raise: OverQuota, NoCapacity, or
    a refusal of a source or member.
    """
    job_id = KINDS[kind].insert(tx, ctx, action, values, **job)
    _claim(tx, conf, Start(ctx, kind, states.ACTIONS[kind][action], values["id"], as_row(values),
                           job.get("args") or {}, further, allowance))
    return job_id


def begin(tx: db.Transaction, conf: cfg.ConfigOpts, ctx: context.Context | None, kind: str, id: str, action: str,
          guards: Sequence[Guard] = (), refusal: type[errors.Error] = errors.InvalidState, *,
          row: db.Row | None = None, allowance: quotas.Allowance | None = None, further: Further = Further(),
          job: Mapping[str, Any] | None = None, is_locked: bool = False, **values: Any) -> str | None:
    """Begin an action of a resource, and claim what it holds; otherwise as Lifecycle.begin.

    `row` is that of the resource, and `allowance` that of its project, where quota is claimed.
    """
    job_id = KINDS[kind].begin(tx, ctx, id, action, guards, refusal, job, is_locked, **values)
    _claim(tx, conf, Start(ctx, kind, states.ACTIONS[kind][action], id, row, (job or {}).get("args") or {}, further,
                           allowance))
    return job_id


def _claim(tx, conf, start):
    for hold in reversed(start.action.holds):
        OF[type(hold)].claim(tx, conf, hold, start)


def place(tx: db.Transaction, action: states.Action, volume: db.Row, pool: pool_capacity.Pool,
          bounds: pool_capacity.Bounds) -> bool:
    """Take the capacity of the pool that was chosen for the volume of an action, whose holds release it.

    False when the pool has not so much any more.
    """
    size, count = (0, 0) if pool.name == volume.host else (volume.size, 1)
    if not pools.take(tx, pool.name, size, count, bounds):
        return False
    for hold in action.holds:
        OF[type(hold)].placed(tx, volume, pool.name, pool.availability_zone)
    return True
