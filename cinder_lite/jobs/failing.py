"""Ends jobs whose work did not succeed: as failed with a reason, handed back, or left to another worker."""

import logging
import typing

from oslo_db import exception as db_errors

from cinder_lite import errors, states
from cinder_lite.db import job_changes, job_queries, messages
from cinder_lite.jobs import holds
from cinder_lite.jobs.outcomes import Interrupted, Refused, quiet, reason_of

if typing.TYPE_CHECKING:
    from cinder_lite import db
    from cinder_lite.jobs.work import Work
    from cinder_lite.jobs.worker import Worker

LOG = logging.getLogger(__name__)


def unsupported(work: "Work") -> None:
    """The handler of actions that this release does not have. Raises Refused."""
    raise Refused(f"the service on {work.job.host} does not support {work.job.action} of a {work.job.kind}",
                  public="the service does not support this; an administrator can upgrade it")


def stopped(worker: "Worker", work: "Work", error: Exception) -> str:
    """End the job whose work raised the error, whatever that is. Returns the outcome for the metrics."""
    job = work.job
    if isinstance(error, errors.Stale | Interrupted | db_errors.DBConnectionError):
        if not isinstance(error, Interrupted):
            # The work is repeated when the database is available again, by this worker unless another one has it.
            LOG.warning("%s of %s %s was stopped: %s", job.action, job.kind, job.resource_id, error)
        worker.persist(job, lambda tx: job_changes.hand_back(tx, job, args=work.args))
    else:
        _fail(worker, work, error)
        return states.FAILED
    return "handed back"


def _fail(worker, work, error):
    job = work.job
    reason = reason_of(error, job)
    if isinstance(error, errors.Explained):
        LOG.error("%s of %s %s failed: %s", job.action, job.kind, job.resource_id, reason)
    else:
        LOG.error("%s of %s %s failed", job.action, job.kind, job.resource_id, exc_info=error)
    work.reason = reason
    action, detail = messages.of_job(job)
    detail = getattr(error, "detail", detail)

    def end(tx):
        holds.fail(tx, worker.conf, job, reason)
        messages.add(tx, job, action, detail, reason, worker.conf.message_ttl)

    try:
        worker.persist(job, end)
    except Exception:
        if job.attempt <= worker.conf.job_max_attempts:
            raise  # the cause may pass: the job is run again
        LOG.exception("the resources held by %s of %s %s cannot be released", job.action, job.kind, job.resource_id)
        worker.persist(job, lambda tx: holds.end_alone(tx, worker.conf, job, reason))


def not_claimed(worker: "Worker", job_id: str, error: Exception) -> None:
    """Count an attempt to claim a job that raised the error; give the job up after as many as for any other."""
    worker.unclaimed[job_id] += not isinstance(error, db_errors.DBConnectionError)
    if worker.unclaimed[job_id] > worker.conf.job_max_attempts:
        with quiet(f"giving up job {job_id}"), worker.db.read() as tx:
            job = job_queries.outline(tx, job_id)
            if job is not None:
                reason = reason_of(error, job)
                worker.persist(job, lambda tx: holds.end_alone(tx, worker.conf, job, reason))


def let_go(worker: "Worker", job: "db.Row") -> None:
    """Record that the worker has stopped: requests that have ended the job wait for it."""
    with quiet(f"recording that job {job.id} has stopped"):
        worker.transact(lambda tx: job_changes.mark_stopped(tx, job.id, worker.owner))
