"""Ends jobs that the scheduler cannot place, or records that they wait for a backend."""

import logging
import typing

from oslo_config import cfg

from cinder_lite import db, errors, states
from cinder_lite.db import job_changes, job_queries, messages
from cinder_lite.jobs import holds, outcomes
from cinder_lite.scheduler import choose, explain, waiting
from cinder_lite.states import lookup

if typing.TYPE_CHECKING:
    from cinder_lite.scheduler.manager import SchedulerManager

LOG = logging.getLogger(__name__)


def wait(scheduler: "SchedulerManager", job: db.Row, decision: choose.Decision) -> bool:
    """Record that the job waits for a backend, and why; the sweep retries it. False when its time is over."""
    noted = waiting.noted(job, decision, scheduler.conf.scheduler_wait_for_backends)
    if noted is None:
        return False
    if noted != job.decision:
        LOG.info("%s of %s %s waits for %s: %s", job.action, job.kind, job.resource_id, waiting.AWAITED,
                 "; ".join(explain.explain(decision.plain())))
        with scheduler.db.write() as tx:
            job_changes.note_waiting(tx, job.id, "scheduler", noted)
    return True


def give_up(scheduler: "SchedulerManager", job: db.Row, volume: db.Row, decision: choose.Decision) -> None:
    """End the job of a volume that no pool can take, with the reasons of all pools."""
    tried = job.args.get("failures", [])
    failures = [errors.Reason(f"{one['host']} failed: {one['reason']}", "the storage failed to do it") for one in tried]
    reason = errors.Reason.joined(*failures, waiting.reason(job, decision, scheduler.conf.scheduler_wait_for_backends))
    LOG.warning("no backend for the %s of volume %s: %s", job.action, volume.id, reason)
    scheduler.count(job, states.FAILED)
    with scheduler.db.write() as tx:
        if end(tx, scheduler.conf, job, reason, none_found(reason)):
            job_changes.keep_decision(tx, job.id, decision.plain())


def forget(scheduler: "SchedulerManager", job: db.Row) -> None:
    """End the job of a volume or group that is gone."""
    with scheduler.db.write() as tx:
        holds.end(tx, scheduler.conf, job, errors.Reason(f"the {job.kind} is gone"))


@db.retried
def count_attempt(scheduler: "SchedulerManager", job_id: str, error: Exception) -> None:
    """Count the error as an attempt; the last attempt ends the job."""
    with scheduler.db.write() as tx:
        attempts = job_changes.count_attempt(tx, job_id, "scheduler")
        if attempts is None or attempts < scheduler.conf.job_max_attempts:
            return
        job = job_queries.outline(tx, job_id)
    reason = outcomes.reason_of(error, job)
    try:
        with scheduler.db.write() as tx:
            whole: typing.Any = job_queries.get(tx, job_id)
            end(tx, scheduler.conf, whole, reason)
    except Exception:
        LOG.exception("what job %s holds cannot be given back", job_id)
        with scheduler.db.write() as tx:
            holds.end_alone(tx, scheduler.conf, job, reason)


def end(tx: db.Transaction, conf: cfg.ConfigOpts, job: db.Row, reason: errors.Reason,
        message: errors.Reason | None = None) -> bool:
    """End the job as failed, with a user message. Returns whether its resource got the status. Raises Stale."""
    settled = holds.fail(tx, conf, job, reason)
    row = lookup.find(job.kind, job.action)
    about = row.no_backend if row is not None and job.kind == "volume" else messages.of_job(job)
    messages.add(tx, job, *about, message or reason, conf.message_ttl)
    return settled


def none_found(reason: errors.Reason) -> errors.Reason:
    """The user message about a decision without a result."""
    text = "No valid backend was found."
    return errors.Reason(f"{text} {reason}", f"{text} {errors.public(reason)}")
