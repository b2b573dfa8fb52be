"""Finds the live jobs of other resources that read a resource, write to it, or have it as a member."""

import sqlalchemy as sa

from cinder_lite import db, states
from cinder_lite.db import schema

J, V, S, B = schema.jobs, schema.volumes, schema.snapshots, schema.backups


def others(tx: db.Transaction, kind: str, id: str) -> list[db.Row]:
    """The jobs that hold the resource, oldest first."""
    return [job for where in _HOLDERS.get(kind, ()) for job in tx.execute(sa.select(J).where(
        J.c.status.in_(states.LIVE_JOB), where(id)).order_by(J.c.created_at)).all() if _holds(job, kind, id)]


def _holds(job, kind, id):
    """Whether the job holds the resource; jobs of a volume name the snapshots that they hold in their arguments."""
    if kind != "snapshot" or job.kind != "volume":
        return True
    args = job.args if isinstance(job.args, dict) else {}
    return args.get("snapshot_id") == id if job.action == "revert" else bool(args.get("cascade"))


def _of(kind, actions, ids):
    return sa.and_(J.c.kind == kind, J.c.action.in_(actions), J.c.resource_id.in_(ids))


#: Kind of a resource -> functions of its id that return conditions of jobs.
_HOLDERS = {
    "volume": (
        lambda id: _of("backup", ("create",), sa.select(B.c.id).where(B.c.volume_id == id, B.c.snapshot_id.is_(None))),
        lambda id: _of("backup", ("restore",), sa.select(B.c.id).where(B.c.restore_volume_id == id)),
        lambda id: _of("group", ("create_from", "delete"), sa.select(V.c.group_id).where(
            V.c.id == id, V.c.status.in_((states.CREATING, states.DELETING)))),
        lambda id: sa.and_(J.c.id == id, J.c.kind == "volume"),  # the copy of a volume that is being migrated has the job's id
    ),
    "snapshot": (
        lambda id: _of("backup", ("create",), sa.select(B.c.id).where(B.c.snapshot_id == id)),
        lambda id: _of("volume", ("revert", "delete", "force_delete"), sa.select(S.c.volume_id).where(S.c.id == id)),
        lambda id: _of("group_snapshot", ("create", "delete"), sa.select(S.c.group_snapshot_id).where(S.c.id == id)),
    ),
    "backup": (
        lambda id: _of("volume", ("create",), sa.select(V.c.id).where(V.c.backup_id == id)),
    ),
}
