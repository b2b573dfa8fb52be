"""Checks that each live job has its resource in the status of its action, and a service that works on it."""

import functools
from collections.abc import Iterator

from cinder_lite import db, states
from cinder_lite.db import audit, job_changes
from cinder_lite.db import jobs as rows
from cinder_lite.doctor.finding import Finding
from cinder_lite.doctor.state import State
from cinder_lite.jobs import holds, lifecycle, wait_reasons


def without_resource(state: State) -> Iterator[Finding]:
    """Jobs whose volume, snapshot or backup does not exist."""
    for job in state.live:
        if _status(job) is None and _settled(state.conf, job):
            missing = f"{job.kind} {job.resource_id} does not exist"
            yield Finding(
                "job without resource", (job.id, job.attempt, job.status),
                f"job {job.id} ({job.action} {job.kind}) is {job.status}, but {missing}",
                "ends the job as failed", functools.partial(_end, job, missing))


def status_mismatch(state: State) -> Iterator[Finding]:
    """Jobs whose resource is not in the status of the job's action."""
    for job in state.live:
        status, doing = _status(job), _doing(job)
        if job.stage == states.AT_NOVA:
            continue  # Nova changes the status meanwhile
        if status is not None and doing is not None and status != doing and _settled(state.conf, job):
            mismatch = f"{job.kind} {job.resource_id} is {status}, not {doing}"
            yield Finding(
                "status does not match job", (job.id, job.attempt, job.status, status),
                f"job {job.id} ({job.action}) is {job.status}, but {mismatch}",
                "ends the job as failed and keeps the status", functools.partial(_end, job, mismatch))


def abandoned(state: State) -> Iterator[Finding]:
    """Running jobs whose lease expired so long ago that their service has had time to resume them."""
    for job in state.live:
        if _expired(state.conf, job):
            yield Finding(
                "abandoned job", (job.id, job.attempt),
                f"job {job.id} ({job.action} {job.kind} {job.resource_id}) is {job.status} at {job.owner}, whose lease "
                f"expired at {job.lease_until}", "requeues the job", functools.partial(_requeue, job))


def unserved(state: State) -> Iterator[Finding]:
    """Jobs that wait for a service that is down."""
    down_time = state.conf.service_down_time
    for job in state.live:
        if (job.stage in wait_reasons.SERVICES and _unchanged(job) > down_time
                and wait_reasons.missing(job.stage, job.host, state.services, down_time)):
            binary = wait_reasons.SERVICES[job.stage][0]
            where = f"{binary} on {job.host}" if job.host else f"any {binary}"
            yield Finding(
                "job without service", (job.id, job.stage, job.host),
                f"job {job.id} ({job.action} {job.kind} {job.resource_id}) waits for {where}, which is down",
                "start that service: it then runs the job")


def _expired(conf, job):
    return job.status == states.RUNNING and (job.lease_until is None or _age(job.lease_until) > 2 * conf.job_lease)


def _status(job):
    return getattr(job, f"{job.kind}_status", states.AVAILABLE)


def _doing(job):
    """The status of the job's action; None for an action of a newer release."""
    action = lifecycle.KINDS[job.kind].actions.get(job.action)
    return action.doing if action is not None else None


def _settled(conf, job):
    """Whether the job's worker has had time to notice that its resource changed."""
    return _unchanged(job) > (2 * conf.job_lease if job.status == states.RUNNING else 2 * conf.job_sweep_interval)


def _unchanged(job):
    """Seconds since the last change."""
    return _age(job.updated_at or job.created_at)


def _age(moment):
    return (db.now() - moment).total_seconds()


@db.retried
def _end(found, reason, database, conf):
    with database.write() as tx:
        job = audit.live_job(tx, found.id)
        if job is None or job.attempt != found.attempt or _status(job) == _doing(job):
            return ""
        rows.end(tx, job, states.FAILED, reason)
        holds.release(tx, conf, job)
        return f"ended job {job.id}: {reason}"


@db.retried
def _requeue(found, database, conf):
    with database.write() as tx:
        job = audit.live_job(tx, found.id)
        if job is None or job.attempt != found.attempt or not _expired(conf, job):
            return ""
        job_changes.hand_back(tx, job)
        return f"requeued job {job.id}"
