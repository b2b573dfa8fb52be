"""Live jobs: each has its resource in the status of its action, and somebody who works on it or will."""

import functools

from cinder_lite import db, states
from cinder_lite.db import audit, services
from cinder_lite.db import jobs as rows
from cinder_lite.doctor.finding import Finding
from cinder_lite.jobs import holds, lifecycle

#: The service that works at a stage.
BINARIES = {"scheduler": "cinder-scheduler", "volume": "cinder-volume", "backup": "cinder-backup"}


def without_resource(look):
    """A job whose volume, snapshot or backup has no row."""
    for job in look.live:
        if _status(job) is None and _settled(look.conf, job):
            yield Finding(
                "job without resource", (job.id, job.attempt, job.status),
                f"job {job.id} ({job.action} {job.kind}) is {job.status}, but {job.kind} {job.resource_id} is gone",
                "ends the job as failed", functools.partial(_end, job, f"{job.kind} {job.resource_id} is gone"))


def out_of_step(look):
    """A job whose resource is not in the status that its action gives."""
    for job in look.live:
        status, doing = _status(job), _doing(job)
        if job.stage == states.AT_NOVA:
            continue  # Nova changes the status meanwhile
        if status is not None and doing is not None and status != doing and _settled(look.conf, job):
            what = f"{job.kind} {job.resource_id} is {status}, not {doing}"
            yield Finding(
                "job out of step", (job.id, job.attempt, job.status, status),
                f"job {job.id} ({job.action}) is {job.status}, but {what}",
                "ends the job as failed and leaves the status", functools.partial(_end, job, what))


def abandoned(look):
    """A running job whose lease ran out so long ago that its service must have had the time to take it up again."""
    for job in look.live:
        if _lapsed(look.conf, job):
            yield Finding(
                "abandoned job", (job.id, job.attempt),
                f"job {job.id} ({job.action} {job.kind} {job.resource_id}) is {job.status} at {job.owner}, whose lease "
                f"ran out at {job.lease_until}", "queues the job again", functools.partial(_hand_back, job))


def unserved(look):
    """A job that waits for a service that is not there."""
    down_time = look.conf.service_down_time
    up = {(row.binary, row.host) for row in look.services if services.is_up(row, down_time)}
    for job in look.live:
        binary = BINARIES.get(job.stage)
        if binary is None:
            continue
        served = any(one == binary for one, _ in up) if job.host is None else (binary, job.host) in up
        if not served and _unchanged(job) > down_time:
            where = f"{binary} on {job.host}" if job.host else f"any {binary}"
            yield Finding(
                "job without service", (job.id, job.stage, job.host),
                f"job {job.id} ({job.action} {job.kind} {job.resource_id}) waits for {where}, which is not up",
                "start that service: the job is done then")


def _lapsed(conf, job):
    return job.status == states.RUNNING and (job.lease_until is None or _ago(job.lease_until) > 2 * conf.job_lease)


def _status(job):
    return getattr(job, f"{job.kind}_status", states.AVAILABLE)


def _doing(job):
    """The status of the job's action; None for an action that only a newer release knows."""
    action = lifecycle.KINDS[job.kind].actions.get(job.action)
    return action.doing if action is not None else None


def _settled(conf, job):
    """Whether whoever works on the job has had the time to notice that its resource was taken away."""
    return _unchanged(job) > (2 * conf.job_lease if job.status == states.RUNNING else 2 * conf.job_sweep_interval)


def _unchanged(job):
    return _ago(job.updated_at or job.created_at)


def _ago(moment):
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
def _hand_back(found, database, conf):
    with database.write() as tx:
        job = audit.live_job(tx, found.id)
        if job is None or job.attempt != found.attempt or not _lapsed(conf, job):
            return ""
        rows.hand_back(tx, job)
        return f"queued job {job.id} again"
