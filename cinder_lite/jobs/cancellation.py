"""Ends from outside what is done with a resource: for forced deletes, and for statuses that are set by hand.

Whoever works on such a job is fenced out of its final transaction, so that what the job holds is given back here. What it
does to data ends later: whoever wants to give the resource to others waits for that.
"""

import time

from cinder_lite import db, errors, states
from cinder_lite.db import holders, jobs
from cinder_lite.jobs import holds
from cinder_lite.jobs.lifecycle import KINDS

REASON = errors.Reason("it was ended by an administrator's request")
#: Seconds between looks whether the workers have stopped.
INTERVAL = 0.1


def all_jobs(tx, conf, kind, id):
    """End every live job that has the resource, which the caller has locked, in its hands. Returns the jobs.

    Those of the resource itself give back what they hold, but for what its row counts, because the caller says what becomes
    of it. Those of others, which read it, write to it or have it as a member, fail.
    """
    ended = []
    for job in jobs.live_of(tx, kind, id):
        if jobs.abandon(tx, job, REASON, conf.job_lease):
            KINDS[kind].settle(tx, id, job.action, False)
            holds.release(tx, conf, job)
            ended.append(job)
    for job in holders.others(tx, kind, id):
        if holds.end(tx, conf, job, REASON):
            ended.append(job)
    return ended


def stop(database, conf, kind, id, check):
    """End all jobs in a transaction of its own, unless `check(tx)` raises, and wait until whoever writes data has stopped.

    Meanwhile the resource is in the status of what failed: what is still being written to is given to nobody.
    """
    ended = _end(database, conf, kind, id, check)
    writing = states.having(lambda row: row.writes)
    _wait(database, conf, [job.id for job in ended if (job.kind, job.action) in writing])


@db.retried
def _end(database, conf, kind, id, check):
    with database.write() as tx:
        KINDS[kind].lock(tx, id)
        check(tx)
        return all_jobs(tx, conf, kind, id)


def _wait(database, conf, ids):
    """Wait for the length of a lease at most: no worker goes on for longer without knowing that the job is its own."""
    end = time.monotonic() + conf.job_lease
    while ids and time.monotonic() < end:
        with database.read() as tx:
            ids = jobs.still_running(tx, ids)
        if ids:
            time.sleep(INTERVAL)
