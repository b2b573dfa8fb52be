"""Volumes, snapshots and backups: a status that only a job may hold has one, and what hangs on a row has that row."""

import functools

from cinder_lite import context, db, states
from cinder_lite.db import attachments, audit, jobs, metadata_index, quotas, schema, snapshots, volumes
from cinder_lite.db.host_strings import service_of
from cinder_lite.doctor.finding import Finding
from cinder_lite.jobs import holds
from cinder_lite.jobs.lifecycle import KINDS, SNAPSHOT, VOLUME

#: (kind, action) of a job -> function(job) -> (kind, id, action) of a further resource that it holds meanwhile.
HELD = {
    ("backup", "create"): lambda job: ("snapshot", job.read_snapshot_id, "backup") if job.read_snapshot_id
    else ("volume", job.read_volume_id, "backup"),
    ("backup", "restore"): lambda job: ("volume", job.args.get("volume_id"), "restore"),
    ("volume", "create"): lambda job: ("backup", job.lent_id, "lend"),
    ("volume", "revert"): lambda job: ("snapshot", job.args.get("snapshot_id"), "revert"),
}


def held(live):
    """{(kind, id, status)} that live jobs hold; ("cascade", volume id) for the snapshots of a volume that is deleted."""
    found = set()
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


# -- what is done for a status without a job

def _again(kind, action, tx, row):
    """The action is begun again by a new job."""
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
    return f"gave {kind} {row.id} job {id} to {action} it" + (f" on {host}" if host else "")


def _forget(tx, row):
    """A volume that no backend has heard of is gone at once."""
    VOLUME.settle(tx, row.id, "forget", True)
    holds.forget(tx, row)
    return f"removed volume {row.id}, which no backend had"


def _failed(kind, action, tx, row):
    """The action ends as it does when it fails."""
    lost = {}
    if kind == "backup" and action == "create":
        lost = {"counted": False, "fail_reason": "its job is gone"}
        if row.counted:
            quotas.release(tx, quotas.backup_share(row.project_id, row.size))
    KINDS[kind].settle(tx, row.id, action, False, **lost)
    return f"set {kind} {row.id} to {audit.status(tx, kind, row.id)}"


#: What becomes of a status that no job holds: (kind, action that gives it) -> how it is repaired. What can be run again
#: is; a backup is not, since its source may have changed by now.
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
SAYS = {_again: "gives it a new job to {action} it", _failed: "ends that as failed"}


def _without_job(kind, look):
    holders = held(look.live)
    for row in audit.in_transition(look.tx, kind):
        if _is_held(kind, row, holders):
            continue
        action = next(name for of, name in REMEDIES if of == kind and KINDS[kind].actions[name].doing == row.status)
        yield Finding(
            "status without job", (kind, row.id, row.status),
            f"{kind} {row.id} is {row.status}, but no job does that",
            SAYS[REMEDIES[kind, action]].format(action=action), functools.partial(_release, kind, action, row))


def volumes_without_job(look):
    """A volume in a status that only a job may hold, and no job holds it."""
    yield from _without_job("volume", look)


def migrations_without_job(look):
    """A volume that says that it is being migrated, and no job does that."""
    moving = {job.resource_id for job in look.live if job.action in audit.MOVING}
    for row in audit.half_migrated(look.tx):
        if row.id not in moving:
            yield Finding("migration without job", (row.id, row.migration_status),
                          f"volume {row.id} has the migration status {row.migration_status}, but no job moves it",
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


def snapshots_without_job(look):
    """The same of a snapshot."""
    yield from _without_job("snapshot", look)


def backups_without_job(look):
    """The same of a backup."""
    yield from _without_job("backup", look)


def groups_without_job(look):
    """The same of a group and of a group snapshot."""
    yield from _without_job("group", look)
    yield from _without_job("group_snapshot", look)


@db.retried
def _release(kind, action, found, database, _conf):
    with database.write() as tx:
        row = audit.locked(tx, kind, found.id)
        if row is None or row.status != found.status or _is_held(kind, row, held(audit.live_jobs(tx))):
            return ""
        return REMEDIES[kind, action](kind, action, tx, row)


# -- rows that hang on others

def lost_attachments(look):
    """An attachment whose volume has no row."""
    for row in audit.of_gone_volumes(look.tx, schema.attachments):
        yield Finding("attachment without volume", (row.id,),
                      f"attachment {row.id} is of volume {row.volume_id}, which is gone", "removes it",
                      functools.partial(_remove_attachment, row.id))


@db.retried
def _remove_attachment(id, database, _conf):
    with database.write() as tx:
        gone = audit.of_gone_volumes(tx, schema.attachments, id)
        return f"removed attachment {id}" if gone and attachments.delete(tx, id) else ""


def lost_snapshots(look):
    """A snapshot whose volume has no row."""
    for row in audit.of_gone_volumes(look.tx, schema.snapshots):
        yield Finding("snapshot without volume", (row.id,),
                      f"snapshot {row.id} is of volume {row.volume_id}, which is gone",
                      "removes its row; what is left of it on a backend is found as an object without a row",
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
        return f"removed snapshot {id}"


def lost_labels(look):
    """Labels, by which lists are filtered, of what has no row."""
    for id, n in audit.labels_of_gone(look.tx):
        yield Finding("labels without resource", (id,), f"{n} labels are of {id}, which is gone", "removes them",
                      functools.partial(_remove_labels, id))


@db.retried
def _remove_labels(id, database, _conf):
    with database.write() as tx:
        n = audit.delete_labels_of_gone(tx, id)
        return f"removed {n} labels of {id}" if n else ""


def labels_differ(look):
    """Labels that are not what the metadata says."""
    for one in audit.labelled(look.tx):
        if not one.right:
            yield Finding("labels differ", (one.kind, one.id),
                          f"{one.kind} {one.id} has the metadata {one.metadata}, but is found by {one.labels}"
                          + ("" if one.placed else ", and that in another place"),
                          "writes its labels anew", functools.partial(_rewrite_labels, one.kind, one.id))


@db.retried
def _rewrite_labels(kind, id, database, _conf):
    with database.write() as tx:
        return f"wrote the labels of {kind} {id} anew" if audit.rewrite_labels(tx, kind, id) else ""


# -- attachments

def contradicts(status, attach_status, present):
    """Whether a volume's statuses cannot be with these attachments.

    os-reserve says attaching before there is an attachment, and os-begin_detaching detaching while there still is one.
    """
    by_attachments, attach_by_attachments = attachments.strongest(present)
    if attach_status != attach_by_attachments:
        return True
    if status == states.DETACHING:
        return by_attachments != states.IN_USE
    return status in states.ATTACHMENT_DRIVEN and status not in (states.ATTACHING, by_attachments)


def attachments_contradicted(look):
    """A volume whose status is not what its attachments make, while no action runs on it."""
    present = audit.attachments_by_volume(look.tx)
    for row in audit.perhaps_attached(look.tx):
        mine = present.get(row.id, [])
        if contradicts(row.status, row.attach_status, mine):
            have = ", ".join(sorted(one.attach_status for one in mine)) or "none"
            yield Finding("status against attachments", (row.id, row.status, row.attach_status, have),
                          f"volume {row.id} is {row.status} and {row.attach_status}, but its attachments are: {have}",
                          "gives it the status of its attachments", functools.partial(_mirror, row.id))


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
