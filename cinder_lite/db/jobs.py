"""Adds, claims, passes on and ends jobs: every accepted asynchronous request, from its acceptance to its end.

A job is queued at a stage: a service and, for volume and backup services, a host. A worker claims it with a conditional
UPDATE that increments `attempt`; only the owner of the latest attempt can end it. An owner is one process, and later
processes have other names.
"""

import datetime
import functools
from typing import Any

import sqlalchemy as sa

from cinder_lite import context, db, errors, states
from cinder_lite.concurrency import randomness
from cinder_lite.db import schema, volumes

J = schema.jobs
_INSERT = sa.insert(J)


def add(tx: db.Transaction, ctx: context.Context, kind: str, resource_id: str, action: str, stage: str,
        host: str | None = None, args: dict[str, Any] | None = None) -> str:
    """Record a queued job. `host` is the service's (host@backend), None for any. Returns the job's id."""
    id = randomness.new_id()
    tx.execute(_INSERT, {
        "id": id, "request_id": ctx.request_id, "project_id": ctx.project_id or "", "user_id": ctx.user_id,
        "kind": kind, "resource_id": resource_id, "action": action, "stage": stage, "host": host, "args": args or {},
        "status": states.QUEUED, "created_at": db.now()})
    return id


def requester(job: db.Row, overwrite: bool = True) -> context.Context:
    """The context of the job's requester, for requests on its behalf; `overwrite`: also for this thread's log
    records."""
    return context.Context(user_id=job.user_id, project_id=job.project_id, is_admin=True, request_id=job.request_id,
                           overwrite=overwrite)


#: The columns of a job and of its volume that workers and schedulers use. To read all of them takes a driver of a
#: database that is written in Python longer than the rest of the statement.
_OF_JOB = ("id", "request_id", "project_id", "user_id", "host", "owner", "kind", "resource_id", "action", "args",
           "stage", "status", "lease_until", "attempt", "progress", "created_at")
_OF_VOLUME = ("id", "project_id", "name", "status", "size", "attach_status", "host", "availability_zone",
              "volume_type_id", "snapshot_id", "source_volid", "backup_id", "group_id", "name_id", "encryption_key_id",
              "image_metadata", "facts", "type_extra_specs", "type_qos_consumer", "type_qos_specs")
_Job, _Volume = db.row_type((*_OF_JOB, "decision")), db.row_type(_OF_VOLUME)


def _with_volume(decision):
    volume = volumes.ROW.selected_columns
    return sa.select(
        *(J.c[name].label(f"job_{name}") for name in _OF_JOB), decision, *(volume[name] for name in _OF_VOLUME)
    ).select_from(J.outerjoin(volumes.V, volumes.V.c.id == J.c.resource_id).outerjoin(
        volumes.T, volumes.T.c.id == volumes.V.c.volume_type_id).outerjoin(
        volumes.Q, volumes.Q.c.id == volumes.T.c.qos_specs_id)).where(J.c.id == sa.bindparam("id"))


_TO_DECIDE, _TO_WORK = _with_volume(J.c.decision), _with_volume(sa.null().label("decision"))


def with_volume(tx: db.Transaction, id: str, statement: sa.Select = _TO_DECIDE) -> tuple[Any, Any]:
    """(the job, its volume) by one statement, without columns that neither the scheduler nor a worker uses; None for a
    row that does not exist."""
    row = tx.execute(statement, {"id": id}).first()
    if row is None:
        return None, None
    job, volume = _Job(*row[:len(_Job._fields)]), _Volume(*row[len(_Job._fields):])
    return job, volume if volume.id is not None else None


def claim(tx: db.Transaction, id: str, stage: str, host: str, owner: str, lease: float) -> tuple[Any, Any]:
    """Make `owner` the worker of the job for `lease` seconds. Returns (the job, its volume), (None, None) if it has
    another worker, or has left that stage and host, to which a late message announced it.

    The owner can claim its own job again. The volume is None for a job of another kind; the job is without its
    decision. This need not be a transaction: a job that was taken away between both statements is not returned.
    """
    now = db.now()
    took = tx.execute(_CLAIM, {"job": id, "at": stage, "place": host, "claimant": owner, "now": now,
                               "until": now + datetime.timedelta(seconds=lease)})
    job, volume = with_volume(tx, id, _TO_WORK) if took.rowcount else (None, None)
    return (job, volume) if job is not None and (job.status, job.owner) == (states.RUNNING, owner) else (None, None)


def claimable(now: Any, owner: Any) -> sa.ColumnElement[bool]:
    """The condition of jobs that the owner can claim."""
    return sa.or_(J.c.status == states.QUEUED, sa.and_(J.c.status == states.RUNNING, sa.or_(
        J.c.lease_until < now, J.c.owner == owner)))


_CLAIM = sa.update(J).where(
    J.c.id == sa.bindparam("job"), J.c.stage == sa.bindparam("at"), J.c.host == sa.bindparam("place"),
    claimable(sa.bindparam("now"), sa.bindparam("claimant"))).values(
        status=states.RUNNING, owner=sa.bindparam("claimant"), lease_until=sa.bindparam("until"),
        attempt=J.c.attempt + 1, updated_at=sa.bindparam("now"))


_PASS_ON = sa.update(J).where(
    J.c.id == sa.bindparam("job"), J.c.stage == sa.bindparam("from_stage"), J.c.status == states.QUEUED).values(
        stage=sa.bindparam("to_stage"), host=sa.bindparam("to_host"), decision=sa.bindparam("decided"),
        args=sa.bindparam("passed"), attempt=0, updated_at=sa.bindparam("now"))


def pass_on(tx: db.Transaction, job: db.Row, to_stage: str, host: str | None, decision: Any,
            args: dict[str, Any]) -> bool:
    """Move a queued job to its next stage and reset its attempts. False if it has left its stage."""
    return tx.execute(_PASS_ON, {"job": job.id, "from_stage": job.stage, "to_stage": to_stage, "to_host": host,
                                 "decided": decision, "passed": args, "now": db.now()}).rowcount == 1


def end(tx: db.Transaction, job: db.Row, status: str, error: str | None = None) -> None:
    """End the job; `error` is an errors.Reason. Raises Stale if the job has another owner."""
    values: dict[str, Any] = {"status": status, **reason_columns(error), "lease_until": None,
                              "updated_at": db.now(), "finished_at": db.now()}
    if status == states.SUCCEEDED:
        values["progress"] = 100
    write_owned(tx, job, values)


def write_owned(tx: db.Transaction, job: db.Row, values: dict[str, Any]) -> None:
    """Change columns of the owner's live job. Raises Stale."""
    its = {f"its_{name}": getattr(job, name) for name in _ITS}
    new = {f"new_{name}": value for name, value in values.items()}
    if tx.execute(_owned(tuple(values), job.owner is None), its | new).rowcount == 0:
        raise errors.Stale(id=job.id, attempt=job.attempt)


_ITS = ("id", "stage", "attempt", "owner")


@functools.cache
def _owned(columns: tuple[str, ...], has_no_owner: bool) -> sa.Update:
    """The statement that changes these columns: to build it takes about as long as to execute it."""
    its = [J.c[name] == sa.bindparam(f"its_{name}") for name in _ITS]
    if has_no_owner:
        its[-1] = J.c.owner.is_(None)
    # Literals: a plain list is expanded and searched by a pattern at each execution.
    return sa.update(J).where(*its, J.c.status.in_([*map(sa.literal, states.LIVE_JOB)])).values(
        {name: sa.bindparam(f"new_{name}") for name in columns})


def reason_columns(reason: str | None) -> dict[str, str | None]:
    """The columns of an errors.Reason."""
    return {"error": reason and str(reason), "public_error": reason and errors.public(reason)}
