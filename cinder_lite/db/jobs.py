"""Adds, claims, passes on and ends jobs: every accepted asynchronous request, from its acceptance to its end.

A job is queued at a stage: a service and, for volume and backup services, a host. A worker claims it with a conditional
UPDATE that increments `attempt`; only the owner of the latest attempt can end it. An owner is one process, and later
processes have other names.
"""

import datetime
from typing import Any

import sqlalchemy as sa

from cinder_lite import context, db, errors, states
from cinder_lite.concurrency import randomness
from cinder_lite.db import schema, volumes

J = schema.jobs


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
    took = tx.execute(sa.update(J).where(J.c.id == id, claimable(now, owner)).values(
        status=states.RUNNING, owner=owner, lease_until=now + datetime.timedelta(seconds=lease),
        attempt=J.c.attempt + 1, updated_at=now))
    return with_volume(tx, id) if took.rowcount else (None, None)


def claimable(now: datetime.datetime, owner: str | None) -> sa.ColumnElement[bool]:
    """The condition of jobs that the owner can claim."""
    return sa.or_(J.c.status == states.QUEUED, sa.and_(J.c.status == states.RUNNING, sa.or_(
        J.c.lease_until < now, J.c.owner == owner)))


def pass_on(tx: db.Transaction, job: db.Row, to_stage: str, host: str | None, decision: Any,
            args: dict[str, Any]) -> bool:
    """Move a queued job to its next stage and reset its attempts. False if it has left its stage."""
    moved = tx.execute(sa.update(J).where(J.c.id == job.id, J.c.stage == job.stage, J.c.status == states.QUEUED).values(
        stage=to_stage, host=host, decision=decision, args=args, attempt=0, updated_at=db.now()))
    return moved.rowcount == 1


def end(tx: db.Transaction, job: db.Row, status: str, error: str | None = None) -> None:
    """End the job; `error` is an errors.Reason. Raises Stale if the job has another owner."""
    values: dict[str, Any] = {"status": status, **reason_columns(error), "lease_until": None,
                              "updated_at": db.now(), "finished_at": db.now()}
    if status == states.SUCCEEDED:
        values["progress"] = 100
    write_owned(tx, job, values)


def write_owned(tx: db.Transaction, job: db.Row, values: dict[str, Any]) -> None:
    """Change columns of the owner's live job. Raises Stale."""
    changed = tx.execute(sa.update(J).where(
        J.c.id == job.id, J.c.stage == job.stage, J.c.attempt == job.attempt, J.c.owner == job.owner,
        J.c.status.in_(states.LIVE_JOB)).values(**values))
    if changed.rowcount == 0:
        raise errors.Stale(id=job.id, attempt=job.attempt)


def reason_columns(reason: str | None) -> dict[str, str | None]:
    """The columns of an errors.Reason."""
    return {"error": reason and str(reason), "public_error": reason and errors.public(reason)}
