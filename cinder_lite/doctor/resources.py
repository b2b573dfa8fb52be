"""Checks that transitional statuses have a job, that dependent rows have their parent, and that statuses match
attachments."""

import functools
from collections.abc import Iterable, Iterator, Sequence

from cinder_lite import context, db, states
from cinder_lite.db import attachments, audit, jobs, metadata_index, quotas, schema, snapshots, volumes
from cinder_lite.db.host_strings import service_of
from cinder_lite.doctor.finding import Finding
from cinder_lite.doctor.state import State
from cinder_lite.jobs import holds
from cinder_lite.jobs.lifecycle import KINDS, SNAPSHOT, VOLUME

#: (kind, action) of a job -> function(job) -> (kind, id, action) of a further resource that the job holds.
HELD = {
    ("backup", "create"): lambda job: ("snapshot", job.read_snapshot_id, "backup") if job.read_snapshot_id
    else ("volume", job.read_volume_id, "backup"),
    ("backup", "restore"): lambda job: ("volume", job.args.get("volume_id"), "restore"),
    ("volume", "create"): lambda job: ("backup", job.lent_id, "lend"),
    ("volume", "revert"): lambda job: ("snapshot", job.args.get("snapshot_id"), "revert"),
}


def held(live: Iterable[db.Row]) -> set[tuple[str, ...]]:
    """{(kind, id, status)} that live jobs hold.

    Snapshots of a volume that is deleted are held by ("cascade", volume id), members of a group by (kind of the
    group, id).
    """
    found: set[tuple[str, ...]] = set()
    for job in live:
        action = KINDS[job.kind].actions.get(job.action)
        if action is not None:
            found.add((job.kind, job.resource_id, action.doing))
        if (job.kind, job.action) in HELD:
            kind, id, name = HELD[job.kind, job.action](job)
            found.add((kind, id, KINDS[kind].actions[name].doing))
        if job.kind in ("group", "group_snapshot"):
            found.add((job.kind, job.resource_id))
        if job.kind == "volume" and job.args.get("cascade"):
            found.add(("cascade", job.resource_id))
    return found


def _is_held(kind, row, holders):
    return (kind, row.id, row.status) in holders or (
        kind == "snapshot" and row.status == states.DELETING and ("cascade", row.volume_id) in holders) or (
        kind == "volume" and ("group", row.group_id) in holders) or (
        kind == "snapshot" and ("group_snapshot", row.group_snapshot_id) in holders)


# -- repairs of a status without a job

def _again(kind, action, tx, row):
    """Start the action again in a new job."""
    stage, host, args = KINDS[kind].actions[action].stage, None, {}
    if kind == "backup":
        host = row.host
    else:
        volume = row if kind == "volume" else volumes.find(tx, row.volume_id)
        if volume is None:
            return ""
        if volume.host is not None:
            stage, host = "volume", service_of(volume.host)
        elif action == "delete":
            return _forget(tx, row)
    if kind == "volume" and action == "delete":
        left = snapshots.of_volume(tx, row.id)
        if any(one.status != states.DELETING for one in left):
            return _failed(kind, action, tx, row)
        args = {"cascade": bool(left)}
    ctx = context.Context(user_id=row.user_id, project_id=row.project_id, is_admin=True, overwrite=False)
    id = jobs.add(tx, ctx, kind, row.id, action, stage, host=host, args=args)
    return f"started job {id} to {action} {kind} {row.id}" + (f" on {host}" if host else "")


def _forget(tx, row):
    """Delete a volume that was never placed on a backend."""
    VOLUME.settle(tx, row.id, "forget", True)
    holds.forget(tx, row)
    return f"deleted volume {row.id}, which was on no backend"


def _failed(kind, action, tx, row):
    """End the action as failed."""
    lost = {}
    if kind == "backup" and action == "create":
        lost = {"counted": False, "fail_reason": "its job was lost"}
        if row.counted:
            quotas.release(tx, quotas.backup_share(row.project_id, row.size))
    KINDS[kind].settle(tx, row.id, action, False, **lost)
    return f"set {kind} {row.id} to {audit.status(tx, kind, row.id)}"


#: (kind, action of the status) -> repair of a status that no job holds. Actions that can be repeated are; a backup is
#: not, since its source may have changed.
REMEDIES = {
    ("volume", "create"): _again, ("volume", "delete"): _again, ("volume", "extend"): _failed,
    ("volume", "revert"): _failed, ("volume", "backup"): _failed, ("volume", "restore"): _failed,
    ("volume", "retype"): _failed, ("volume", "manage"): _failed, ("volume", "unmanage"): _again,
    ("volume", "upload"): _failed, ("volume", "reimage"): _failed,
    ("snapshot", "unmanage"): _again, ("snapshot", "create"): _again, ("snapshot", "delete"): _again, ("snapshot", "revert"): _failed,
    ("snapshot", "backup"): _failed,
    ("group", "create_from"): _failed, ("group", "delete"): _failed,
    ("group_snapshot", "create"): _failed, ("group_snapshot", "delete"): _failed,
    ("backup", "create"): _failed, ("backup", "delete"): _again, ("backup", "restore"): _failed,
}
REPAIRS = {_again: "starts a new job to {action} it", _failed: "ends the action as failed"}


def _without_job(kind, state):
    holders = held(state.live)
    for row in audit.in_transition(state.tx, kind):
        if _is_held(kind, row, holders):
            continue
        action = next(name for of, name in REMEDIES if of == kind and KINDS[kind].actions[name].doing == row.status)
        yield Finding(
            "status without job", (kind, row.id, row.status),
            f"{kind} {row.id} is {row.status}, but no job is responsible for it",
            REPAIRS[REMEDIES[kind, action]].format(action=action), functools.partial(_release, kind, action, row))


def volumes_without_job(state: State) -> Iterator[Finding]:
    """Volumes in a transitional status without a job."""
    yield from _without_job("volume", state)


def migrations_without_job(state: State) -> Iterator[Finding]:
    """Volumes with the migration status of a running migration, without a job that migrates them."""
    moving = {job.resource_id for job in state.live if job.action in audit.MOVING}
    for row in audit.half_migrated(state.tx):
        if row.id not in moving:
            yield Finding("migration without job", (row.id, row.migration_status),
                          f"volume {row.id} has the migration status {row.migration_status}, but no job migrates it",
                          "ends the migration as failed", functools.partial(_end_migration, row.id))


@db.retried
def _end_migration(id, database, _conf):
    with database.write() as tx:
        row = audit.locked(tx, "volume", id)
        if row is None or row.migration_status in (None, *states.NOT_MIGRATING) or any(
                job.action in audit.MOVING for job in jobs.live_of(tx, "volume", id)):
            return ""
        VOLUME.write(tx, id, migration_status=states.NOT_MIGRATED)
        VOLUME.settle(tx, id, "migrate_locked", False)
        return f"ended the migration of volume {id}"


def snapshots_without_job(state: State) -> Iterator[Finding]:
    """Snapshots in a transitional status without a job."""
    yield from _without_job("snapshot", state)


def backups_without_job(state: State) -> Iterator[Finding]:
    """Backups in a transitional status without a job."""
    yield from _without_job("backup", state)


def groups_without_job(state: State) -> Iterator[Finding]:
    """Groups and group snapshots in a transitional status without a job."""
    yield from _without_job("group", state)
    yield from _without_job("group_snapshot", state)


@db.retried
def _release(kind, action, found, database, _conf):
    with database.write() as tx:
        row = audit.locked(tx, kind, found.id)
        if row is None or row.status != found.status or _is_held(kind, row, held(audit.live_jobs(tx))):
            return ""
        return REMEDIES[kind, action](kind, action, tx, row)


# -- rows without their parent

def lost_attachments(state: State) -> Iterator[Finding]:
    """Attachments whose volume does not exist."""
    for row in audit.of_gone_volumes(state.tx, schema.attachments):
        yield Finding("attachment without volume", (row.id,),
                      f"attachment {row.id} is of volume {row.volume_id}, which does not exist", "deletes the attachment",
                      functools.partial(_remove_attachment, row.id))


@db.retried
def _remove_attachment(id, database, _conf):
    with database.write() as tx:
        gone = audit.of_gone_volumes(tx, schema.attachments, id)
        return f"deleted attachment {id}" if gone and attachments.delete(tx, id) else ""


def lost_snapshots(state: State) -> Iterator[Finding]:
    """Snapshots whose volume does not exist."""
    for row in audit.of_gone_volumes(state.tx, schema.snapshots):
        yield Finding("snapshot without volume", (row.id,),
                      f"snapshot {row.id} is of volume {row.volume_id}, which does not exist",
                      "deletes its row; its data on a backend is then reported as an orphaned snapshot",
                      functools.partial(_remove_snapshot, row.id))


@db.retried
def _remove_snapshot(id, database, conf):
    with database.write() as tx:
        row = audit.locked(tx, "snapshot", id)
        if row is None or not audit.of_gone_volumes(tx, schema.snapshots, id):
            return ""
        SNAPSHOT.write(tx, id, status=states.ERROR)
        SNAPSHOT.begin(tx, None, id, "cascade")
        SNAPSHOT.settle(tx, id, "cascade", True)
        metadata_index.remove(tx, id)
        if row.counted:
            quotas.release(tx, quotas.snapshot_share(conf, row))
        return f"deleted snapshot {id}"


def lost_metadata(state: State) -> Iterator[Finding]:
    """Rows of the metadata index whose resource does not exist."""
    for id, n in audit.metadata_of_gone(state.tx):
        yield Finding("metadata index without resource", (id,),
                      f"the metadata index has {n} rows of {id}, which does not exist", "deletes them",
                      functools.partial(_remove_metadata, id))


@db.retried
def _remove_metadata(id, database, _conf):
    with database.write() as tx:
        n = audit.delete_metadata_of_gone(tx, id)
        return f"deleted {n} rows of {id} from the metadata index" if n else ""


def metadata_differs(state: State) -> Iterator[Finding]:
    """Resources whose rows in the metadata index differ from their metadata."""
    for one in audit.indexed(state.tx):
        if not one.correct:
            yield Finding("metadata index mismatch", (one.kind, one.id),
                          f"{one.kind} {one.id} has the metadata {one.metadata}, but lists find it by {one.index}"
                          + ("" if one.placed else " and with another project or time of creation"),
                          "rebuilds its metadata index", functools.partial(_rewrite_metadata, one.kind, one.id))


@db.retried
def _rewrite_metadata(kind, id, database, _conf):
    with database.write() as tx:
        return f"rebuilt the metadata index of {kind} {id}" if audit.rewrite_index(tx, kind, id) else ""


# -- attachments

def contradicts(status: str, attach_status: str, present: Sequence[db.Row]) -> bool:
    """Whether a volume's statuses contradict its attachments.

    os-reserve sets attaching before there is an attachment, and os-begin_detaching sets detaching while there still
    is one.
    """
    by_attachments, attach_by_attachments = attachments.strongest(present)
    if attach_status != attach_by_attachments:
        return True
    if status == states.DETACHING:
        return by_attachments != states.IN_USE
    return status in states.ATTACHMENT_DRIVEN and status not in (states.ATTACHING, by_attachments)


def attachments_contradicted(state: State) -> Iterator[Finding]:
    """Volumes without a running action whose status contradicts their attachments."""
    present = audit.attachments_by_volume(state.tx)
    for row in audit.perhaps_attached(state.tx):
        mine = present.get(row.id, [])
        if contradicts(row.status, row.attach_status, mine):
            have = ", ".join(sorted(one.attach_status for one in mine)) or "none"
            yield Finding("status contradicts attachments", (row.id, row.status, row.attach_status, have),
                          f"volume {row.id} is {row.status} and {row.attach_status}, but its attachments are: {have}",
                          "sets the status that its attachments require", functools.partial(_mirror, row.id))


@db.retried
def _mirror(id, database, _conf):
    with database.write() as tx:
        row = audit.locked(tx, "volume", id)
        present = attachments.of_volume(tx, id)
        if row is None or not contradicts(row.status, row.attach_status, present):
            return ""
        status, attach_status = attachments.strongest(present)
        driven = {"status": status} if row.status in states.ATTACHMENT_DRIVEN else {}
        VOLUME.write(tx, id, attach_status=attach_status, **driven)
        return f"set volume {id} to {status} and {attach_status}" if driven else f"set volume {id} to {attach_status}"
