"""Changes jobs under way: their leases, attempts, progress and decisions; requeues them, and ends them early."""

import datetime
from typing import Any

import sqlalchemy as sa

from cinder_lite import db, states
from cinder_lite.db.jobs import J, reason_columns, write_owned


@db.retried
def expire_leases(database: db.Database, stage: str, host: str, owner: str, shared: bool = False) -> None:
    """Make the jobs of the host's former processes claimable, which must have ended.

    Of a `shared` host only the jobs of former processes of the service `owner`, the part of it before the last slash.
    Their leases expire one second ago, so that the doctor does not report them as abandoned.
    """
    former = J.c.owner.startswith(f"{owner.rpartition('/')[0]}/", autoescape=True) if shared else sa.true()
    with database.write() as tx:
        tx.execute(sa.update(J).where(J.c.stage == stage, J.c.host == host, J.c.status == states.RUNNING, former,
                                      J.c.owner != owner).values(lease_until=db.now() - datetime.timedelta(seconds=1)))


def renew(tx: db.Transaction, owner: str, lease: float) -> None:
    """Extend the leases of all jobs of `owner`, by one statement."""
    tx.execute(sa.update(J).where(J.c.owner == owner, J.c.status == states.RUNNING).values(
        lease_until=db.now() + datetime.timedelta(seconds=lease)))


def pass_back(tx: db.Transaction, job: db.Row) -> None:
    """Undo `pass_on` within the same transaction."""
    tx.execute(sa.update(J).where(J.c.id == job.id).values(
        stage=job.stage, host=None, decision=None, attempt=job.attempt))


def count_attempt(tx: db.Transaction, id: str, stage: str) -> int | None:
    """Count a failed decision on a queued job. Returns the number of attempts; None if the job has left its stage."""
    mine = (J.c.id == id, J.c.stage == stage, J.c.status == states.QUEUED)
    if tx.execute(sa.update(J).where(*mine).values(attempt=J.c.attempt + 1, updated_at=db.now())).rowcount == 0:
        return None
    return tx.execute(sa.select(J.c.attempt).where(*mine)).scalar()


def keep_decision(tx: db.Transaction, id: str, decision: Any) -> None:
    """Record why a job cannot be placed."""
    tx.execute(sa.update(J).where(J.c.id == id).values(decision=decision))


def note_waiting(tx: db.Transaction, id: str, stage: str, decision: Any) -> None:
    """Record why a queued job waits at the stage."""
    tx.execute(sa.update(J).where(J.c.id == id, J.c.stage == stage, J.c.status == states.QUEUED).values(
        decision=decision))


def hand_back(tx: db.Transaction, job: db.Row, stage: str | None = None, host: str | None = None,
              args: dict[str, Any] | None = None) -> None:
    """Requeue the owner's job, at the same or another stage. Raises Stale.

    This attempt is not counted: attempts are limited because a job may crash its worker.
    """
    values = {"status": states.QUEUED, "owner": None, "lease_until": None, "updated_at": db.now(),
              "attempt": job.attempt - 1}
    if stage is not None:
        values |= {"stage": stage, "host": host, "attempt": 0}
    if args is not None:
        values["args"] = args
    write_owned(tx, job, values)


def progress(tx: db.Transaction, job: db.Row, percent: int, args: dict[str, Any] | None = None) -> None:
    """Record the progress in percent, and arguments for resuming from there. Raises Stale."""
    values = {"progress": percent, "updated_at": db.now()}
    if args is not None:
        values["args"] = args
    write_owned(tx, job, values)


def abandon(tx: db.Transaction, job: db.Row, reason: str | None, lease: float) -> bool:
    """End a live job as failed, whatever its worker does. False if it had ended already.

    The worker may run until it notices, at most for its `lease` in seconds (see `still_running`).
    """
    until = db.now() + datetime.timedelta(seconds=lease)
    return _close(tx, job, status=states.FAILED, lease_until=sa.case((J.c.status == states.RUNNING, until), else_=None),
                  **reason_columns(reason))


def conclude(tx: db.Transaction, job: db.Row) -> bool:
    """End a live job as succeeded, because the event that it waited for has occurred. False if it had ended already."""
    return _close(tx, job, status=states.SUCCEEDED, progress=100, lease_until=None)


def _close(tx, job, lease_until, **values):
    # MariaDB assigns from left to right: the lease depends on the former status.
    ended = tx.execute(sa.update(J).where(J.c.id == job.id, J.c.status.in_(states.LIVE_JOB)).ordered_values(
        ("lease_until", lease_until), *values.items(), ("attempt", J.c.attempt + 1), ("updated_at", db.now()),
        ("finished_at", db.now())))
    return ended.rowcount == 1


def mark_stopped(tx: db.Transaction, id: str, owner: str) -> None:
    """Record that the worker of an ended job has stopped."""
    tx.execute(sa.update(J).where(J.c.id == id, J.c.owner == owner, J.c.status.not_in(states.LIVE_JOB)).values(
        lease_until=None))


def purge(tx: db.Transaction, seconds: float) -> int:
    """Delete jobs that ended more than so many seconds ago. Returns their number."""
    # The time of creation, which is earlier, has an index.
    old = (column < db.now() - datetime.timedelta(seconds=seconds) for column in (J.c.created_at, J.c.finished_at))
    return tx.execute(sa.delete(J).where(*old, J.c.status.in_((states.SUCCEEDED, states.FAILED)))).rowcount
