"""Ends an action that failed, and releases all that it holds, whoever ends it.

These are the worker, a scheduler without a backend, a forced deletion, a reset of a status, `doctor`, and what gives
up a job that fails again and again. A row is read in the transaction that releases what it holds, because it may have
another owner, type or size than when the work began.
"""

from typing import Any

from oslo_config import cfg

from cinder_lite import db, errors, states
from cinder_lite.db import job_changes, jobs, messages
from cinder_lite.jobs.holds.base import OF, locked
from cinder_lite.jobs.holds.counted import uncount
from cinder_lite.jobs.lifecycle import KINDS
from cinder_lite.states import lookup


def fail(tx: db.Transaction, conf: cfg.ConfigOpts, job: db.Row, reason: errors.Reason | str, **values: Any) -> bool:
    """The owner gives the job up: its resource fails, with `values` as further columns, and nothing is held any more.

    Returns whether the resource was in the action's status. Raises Stale when the job has another owner by now.
    """
    row = locked(tx, job)
    jobs.end(tx, job, states.FAILED, error=reason)
    return _give_up(tx, conf, job, row, reason, values)


def end(tx: db.Transaction, conf: cfg.ConfigOpts, job: db.Row, reason: errors.Reason | str) -> bool:
    """The same whoever works on the job, who can end it no more, and with a message to its owner. False when it is
    over."""
    row = locked(tx, job)
    if not job_changes.abandon(tx, job, reason, conf.job_lease):
        return False
    _give_up(tx, conf, job, row, reason, {})
    messages.add(tx, job, *messages.of_job(job), reason, conf.message_ttl)
    return True


def end_alone(tx: db.Transaction, conf: cfg.ConfigOpts, job: db.Row, reason: errors.Reason | str) -> None:
    """End the job and its action alone, when the release of what it holds raises: `doctor` corrects the sums."""
    if job_changes.abandon(tx, job, reason, 0):
        KINDS[job.kind].settle(tx, job.resource_id, job.action, False)
        messages.add(tx, job, *messages.of_job(job), reason, conf.message_ttl)


def _give_up(tx, conf, job, row, reason, values):
    if job.kind == "backup" and job.action in ("create", "import"):
        values = {**values, "fail_reason": errors.public(reason)}
    action = lookup.find(job.kind, job.action)
    if action is None:
        return KINDS[job.kind].settle(tx, job.resource_id, job.action, False, **values)
    return _fail(tx, conf, job, job.kind, action, job.resource_id, values, row)


def fail_action(tx: db.Transaction, conf: cfg.ConfigOpts, job: db.Row, kind: str, action: states.Action,
                id: str) -> bool:
    """End as failed the action of a further resource that a job holds. Returns whether it was in that action's
    status."""
    row = KINDS[kind].locked(tx, id) if action.holds else None
    return _fail(tx, conf, job, kind, action, id, {}, row)


def _fail(tx, conf, job, kind, action, id, values, row):
    """End an action of a resource as failed, and release all that it holds."""
    not_made = any(action.held(states.Counted)) and action.done != states.GONE and getattr(row, "counted", False)
    if not_made:
        values = {**values, "counted": False}
    settled = KINDS[kind].settle(tx, id, action.name, False, **values)
    for hold in action.holds:
        if not hold.of_row or settled and action.done != states.GONE:
            OF[type(hold)].release(tx, conf, hold, job, kind, row)
    return settled


def release(tx: db.Transaction, conf: cfg.ConfigOpts, job: db.Row) -> None:
    """Release what an ended job holds, but for what its resource's own row holds: somebody else decides about that."""
    action = lookup.find(job.kind, job.action)
    row = locked(tx, job) if action is not None and action.holds else None
    for hold in action.holds if action is not None else ():
        if not hold.of_row:
            OF[type(hold)].release(tx, conf, hold, job, job.kind, row)


def fail_without_job(tx: db.Transaction, conf: cfg.ConfigOpts, kind: str, row: db.Row, action: states.Action,
                     reason: str) -> None:
    """End as failed an action of which only the resource's status is left; sources and members have findings of
    their own."""
    counted = any(action.held(states.Counted)) and getattr(row, "counted", False)
    values: dict[str, Any] = {"counted": False} if counted else {}
    if kind == "backup" and action.name == "create":
        values["fail_reason"] = reason
    if KINDS[kind].settle(tx, row.id, action.name, False, **values) and counted:
        uncount(tx, conf, [(kind, row)])
