"""Ends the jobs of a resource from outside: for forced deletions, and for statuses that administrators set.

The worker of such a job cannot commit its end any more, so what the job holds is released here. Its access to data
ends later: whoever wants to give the resource to others waits for that.
"""

from collections.abc import Callable

from oslo_config import cfg

from cinder_lite import db, errors
from cinder_lite.concurrency import clock
from cinder_lite.db import holders, job_changes, job_queries
from cinder_lite.jobs import holds
from cinder_lite.jobs.lifecycle import KINDS
from cinder_lite.states import lookup

REASON = errors.Reason("an administrator's request ended it")
#: Seconds between two checks whether the workers have stopped.
INTERVAL = 0.1


def all_jobs(tx: db.Transaction, conf: cfg.ConfigOpts, kind: str, id: str) -> list[db.Row]:
    """End every live job that works on the resource, which the caller has locked. Returns the jobs.

    The resource's own jobs release all but what its row counts: the caller decides what becomes of the row. Jobs of
    other resources that read it, write to it or have it as a member fail.
    """
    ended = []
    for job in job_queries.live_of(tx, kind, id):
        if job_changes.abandon(tx, job, REASON, conf.job_lease):
            KINDS[kind].settle(tx, id, job.action, False)
            holds.release(tx, conf, job)
            ended.append(job)
    for job in holders.others(tx, kind, id):
        if holds.end(tx, conf, job, REASON):
            ended.append(job)
    return ended


def for_deletion(tx: db.Transaction, conf: cfg.ConfigOpts, kind: str, id: str) -> dict[str, list[str]]:
    """End the jobs of a resource, which the caller has locked, for a forced deletion. Returns the arguments of the
    deletion's job."""
    return {"after": [job.id for job in all_jobs(tx, conf, kind, id)]}


def stop(database: db.Database, conf: cfg.ConfigOpts, kind: str, id: str,
         check: Callable[[db.Transaction], object]) -> None:
    """End all jobs in a transaction of its own, unless `check(tx)` raises, and wait until those that write data have
    stopped.

    Meanwhile the resource is in the status of the failed action, so that nobody can use it.
    """
    ended = _end(database, conf, kind, id, check)
    writing = lookup.having(lambda row: row.writes)
    _wait(database, conf, [job.id for job in ended if (job.kind, job.action) in writing])


def reset(database: db.Database, conf: cfg.ConfigOpts, kind: str, id: str, status: str,
          check: Callable[[db.Transaction], object]) -> None:
    """Set the status of a resource after its jobs have stopped, unless `check(tx)` raises."""
    stop(database, conf, kind, id, check)
    _set_status(database, conf, kind, id, status, check)


@db.retried
def _set_status(database, conf, kind, id, status, check):
    with database.write() as tx:
        check(tx)
        KINDS[kind].lock(tx, id)
        all_jobs(tx, conf, kind, id)
        KINDS[kind].write(tx, id, status=status)


@db.retried
def _end(database, conf, kind, id, check):
    with database.write() as tx:
        KINDS[kind].lock(tx, id)
        check(tx)
        return all_jobs(tx, conf, kind, id)


def _wait(database, conf, ids):
    """Wait for at most `job_lease` seconds: no worker runs a job for longer without confirming that it is its own."""
    end = clock.monotonic() + conf.job_lease
    while ids and clock.monotonic() < end:
        with database.read() as tx:
            ids = job_queries.still_running(tx, ids)
        if ids:
            clock.sleep(INTERVAL)
