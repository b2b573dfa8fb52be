"""Reads and writes the rows of jobs: every accepted asynchronous request, from its acceptance to its end.

A job is queued at a stage: a service and, for volume and backup services, a host. A worker claims it with a conditional
UPDATE that increments `attempt`; only the owner of the latest attempt can end it. An owner is one process, and later
processes have other names.
"""

import datetime
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from cinder_lite import context, db, errors, states
from cinder_lite.concurrency import randomness
from cinder_lite.db import listing, schema, volumes

J = schema.jobs
LISTING = listing.Listing(J, frozenset(("id", "created_at", "status", "kind", "action")))
#: Columns that a list of jobs can be filtered by.
FILTERS = ("resource_id", "status", "kind", "action", "host", "stage", "request_id")


def add(tx: db.Transaction, ctx: context.Context, kind: str, resource_id: str, action: str, stage: str,
        host: str | None = None, args: dict[str, Any] | None = None) -> str:
    """Record a queued job. `host` is the service's (host@backend), None for any. Returns the job's id."""
    id = randomness.new_id()
    tx.execute(sa.insert(J), {
        "id": id, "request_id": ctx.request_id, "project_id": ctx.project_id or "", "user_id": ctx.user_id,
        "kind": kind, "resource_id": resource_id, "action": action, "stage": stage, "host": host, "args": args or {},
        "status": states.QUEUED, "created_at": db.now()})
    return id


def requester(job: db.Row, overwrite: bool = True) -> context.Context:
    """The context of the job's requester, for requests on its behalf; `overwrite`: also for this thread's log
    records."""
    return context.Context(user_id=job.user_id, project_id=job.project_id, is_admin=True, request_id=job.request_id,
                           overwrite=overwrite)


_BY_ID = sa.select(J).where(J.c.id == sa.bindparam("id"))


def get(tx: db.Transaction, id: str) -> db.Row | None:
    """The job, or None."""
    return tx.execute(_BY_ID, {"id": id}).first()


def is_live(tx: db.Transaction, id: str) -> bool:
    """Whether there is such a job and it has not ended."""
    return tx.execute(sa.select(J.c.id).where(J.c.id == id, J.c.status.in_(states.LIVE_JOB))).first() is not None


_Job = db.row_type(column.name for column in J.c)
_WITH_VOLUME = sa.select(
    *(column.label(f"job_{column.name}") for column in J.c), *volumes.ROW.selected_columns).select_from(
        J.outerjoin(volumes.V, volumes.V.c.id == J.c.resource_id).outerjoin(
            volumes.T, volumes.T.c.id == volumes.V.c.volume_type_id).outerjoin(
            volumes.Q, volumes.Q.c.id == volumes.T.c.qos_specs_id)).where(J.c.id == sa.bindparam("id"))


def with_volume(tx: db.Transaction, id: str) -> tuple[Any, Any]:
    """(the job, its volume) by one statement; None for a row that does not exist."""
    row = tx.execute(_WITH_VOLUME, {"id": id}).first()
    if row is None:
        return None, None
    job, volume = _Job(*row[:len(_Job._fields)]), volumes.Row(*row[len(_Job._fields):])
    return job, volume if volume.id is not None else None


def claim(tx: db.Transaction, id: str, owner: str, lease: float) -> tuple[Any, Any]:
    """Make `owner` the worker of the job for `lease` seconds. Returns (the job, its volume), (None, None) if that
    fails.

    The owner can claim its own job again. The volume is None for a job of another kind.
    """
    now = db.now()
    took = tx.execute(sa.update(J).where(J.c.id == id, _claimable(now, owner)).values(
        status=states.RUNNING, owner=owner, lease_until=now + datetime.timedelta(seconds=lease),
        attempt=J.c.attempt + 1, updated_at=now))
    return with_volume(tx, id) if took.rowcount else (None, None)


def _claimable(now, owner):
    return sa.or_(J.c.status == states.QUEUED, sa.and_(J.c.status == states.RUNNING, sa.or_(
        J.c.lease_until < now, J.c.owner == owner)))


def waiting(tx: db.Transaction, stage: str, hosts: Collection[str] | None, owner: str | None = None,
            older_than: float = 0.0, most: int = 200) -> list[str]:
    """Ids of the jobs at that stage that have no worker, or `owner` as their worker, oldest first.

    `hosts` limits the jobs to those of these hosts; `older_than` omits jobs that were queued in the last seconds.
    """
    now = db.now()
    recent = now - datetime.timedelta(seconds=older_than)
    query = sa.select(J.c.id).where(
        J.c.stage == stage, J.c.status.in_(states.LIVE_JOB), _claimable(now, owner),
        sa.func.coalesce(J.c.updated_at, J.c.created_at) <= recent)
    if hosts is not None:
        query = query.where(J.c.host.in_(hosts))
    return list(tx.execute(query.order_by(J.c.created_at).limit(most)).scalars())


def pending(tx: db.Transaction) -> Sequence[db.Row]:
    """Numbers of live jobs: a row (kind, action, stage, status, count, since) per group."""
    group = (J.c.kind, J.c.action, J.c.stage, J.c.status)
    count, since = sa.func.count().label("count"), sa.func.min(J.c.created_at).label("since")
    return tx.execute(sa.select(*group, count, since).where(J.c.status.in_(states.LIVE_JOB)).group_by(*group)).all()


def unclaimed(tx: db.Transaction) -> Sequence[db.Row]:
    """Numbers of claimable jobs: rows (stage, host, count)."""
    return tx.execute(sa.select(J.c.stage, J.c.host, sa.func.count().label("count")).where(
        J.c.status.in_(states.LIVE_JOB), _claimable(db.now(), "")).group_by(J.c.stage, J.c.host)).all()


def oldest_unclaimed(tx: db.Transaction, *where: str | None) -> db.Row | None:
    """The job that has been claimable for the longest time, or None; `where` is a stage and a host, if given."""
    place = [column == value for column, value in zip((J.c.stage, J.c.host), where)]
    return tx.execute(sa.select(J).where(J.c.status.in_(states.LIVE_JOB), _claimable(db.now(), ""), *place).order_by(
        sa.func.coalesce(J.c.updated_at, J.c.created_at)).limit(1)).first()


@db.retried
def expire_leases(database: db.Database, stage: str, hosts: Collection[str] | None, owner: str) -> None:
    """Make the jobs of the hosts' former processes claimable, which must have ended.

    Their leases expire one second ago, so that the doctor does not report them as abandoned.
    """
    with database.write() as tx:
        tx.execute(sa.update(J).where(J.c.stage == stage, J.c.host.in_(hosts), J.c.status == states.RUNNING,
                                      J.c.owner != owner).values(lease_until=db.now() - datetime.timedelta(seconds=1)))


def renew(tx: db.Transaction, owner: str, lease: float) -> None:
    """Extend the leases of all jobs of `owner`, by one statement."""
    tx.execute(sa.update(J).where(J.c.owner == owner, J.c.status == states.RUNNING).values(
        lease_until=db.now() + datetime.timedelta(seconds=lease)))


def pass_on(tx: db.Transaction, job: db.Row, to_stage: str, host: str | None, decision: Any,
            args: dict[str, Any]) -> bool:
    """Move a queued job to its next stage and reset its attempts. False if it has left its stage."""
    moved = tx.execute(sa.update(J).where(J.c.id == job.id, J.c.stage == job.stage, J.c.status == states.QUEUED).values(
        stage=to_stage, host=host, decision=decision, args=args, attempt=0, updated_at=db.now()))
    return moved.rowcount == 1


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


_OUTLINE = ("id", "request_id", "project_id", "user_id", "kind", "resource_id", "action", "stage", "host", "status",
            "owner", "attempt", "created_at")
_Outline = db.row_type([*_OUTLINE, "args"])


def outline(tx: db.Transaction, id: str) -> Any:
    """The job without the columns that may be unreadable, with empty arguments; None if there is no such job."""
    row = tx.execute(sa.select(*(J.c[name] for name in _OUTLINE)).where(J.c.id == id)).first()
    return row and _Outline(*row, {})


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
    _owned(tx, job, values)


def progress(tx: db.Transaction, job: db.Row, percent: int, args: dict[str, Any] | None = None) -> None:
    """Record the progress in percent, and arguments for resuming from there. Raises Stale."""
    values = {"progress": percent, "updated_at": db.now()}
    if args is not None:
        values["args"] = args
    _owned(tx, job, values)


def end(tx: db.Transaction, job: db.Row, status: str, error: str | None = None) -> None:
    """End the job; `error` is an errors.Reason. Raises Stale if the job has another owner."""
    values = {"status": status, **_reason(error), "lease_until": None, "updated_at": db.now(), "finished_at": db.now()}
    if status == states.SUCCEEDED:
        values["progress"] = 100
    _owned(tx, job, values)


def _owned(tx, job, values):
    changed = tx.execute(sa.update(J).where(
        J.c.id == job.id, J.c.stage == job.stage, J.c.attempt == job.attempt, J.c.owner == job.owner,
        J.c.status.in_(states.LIVE_JOB)).values(**values))
    if changed.rowcount == 0:
        raise errors.Stale(id=job.id, attempt=job.attempt)


def live_of(tx: db.Transaction, kind: str, resource_id: str) -> Sequence[db.Row]:
    """The jobs of the resource that have not ended, oldest first."""
    return tx.execute(sa.select(J).where(J.c.resource_id == resource_id, J.c.kind == kind,
                                         J.c.status.in_(states.LIVE_JOB)).order_by(J.c.created_at)).all()


def abandon(tx: db.Transaction, job: db.Row, reason: str | None, lease: float) -> bool:
    """End a live job as failed, whatever its worker does. False if it had ended already.

    The worker may run until it notices, at most for its `lease` in seconds (see `still_running`).
    """
    until = db.now() + datetime.timedelta(seconds=lease)
    return _close(tx, job, status=states.FAILED, lease_until=sa.case((J.c.status == states.RUNNING, until), else_=None),
                  **_reason(reason))


def _reason(reason):
    """The columns of a reason."""
    return {"error": reason and str(reason), "public_error": reason and errors.public(reason)}


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


def still_running(tx: db.Transaction, ids: Collection[str]) -> Sequence[str]:
    """The ids among these of ended jobs whose workers may still be running."""
    return tx.execute(sa.select(J.c.id).where(
        J.c.id.in_(ids), J.c.status.not_in(states.LIVE_JOB), J.c.lease_until > db.now())).scalars().all()


def owned(tx: db.Transaction, owner: str, ids: Collection[str]) -> dict[str, int]:
    """{id: attempt} of the jobs among these that the owner works on."""
    rows = tx.execute(sa.select(J.c.id, J.c.attempt).where(
        J.c.id.in_(ids), J.c.owner == owner, J.c.status == states.RUNNING))
    return {row.id: row.attempt for row in rows}


def visible_to(ctx: context.Context, all_projects: bool) -> listing.Condition:
    return sa.true() if ctx.is_admin and all_projects else J.c.project_id == ctx.project_id


def page(tx: db.Transaction, wanted: Mapping[str, str], paging: listing.Paging,
         visible: listing.Condition) -> list[Any]:
    """Jobs with these values in the columns of FILTERS."""
    where = [J.c[column] == value for column, value in wanted.items()]
    return LISTING.page(tx, sa.select(J), where, paging, visible)


def of_resource(tx: db.Transaction, resource_id: str, most: int = 20) -> Sequence[db.Row]:
    """The latest jobs of a resource, newest first."""
    return tx.execute(sa.select(J).where(J.c.resource_id == resource_id).order_by(J.c.created_at.desc())
                      .limit(most)).all()


def purge(tx: db.Transaction, seconds: float) -> int:
    """Delete jobs that ended more than so many seconds ago. Returns their number."""
    return tx.execute(sa.delete(J).where(
        J.c.status.in_((states.SUCCEEDED, states.FAILED)),
        J.c.finished_at < db.now() - datetime.timedelta(seconds=seconds))).rowcount
