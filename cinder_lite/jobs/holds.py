"""What a job holds besides the status of its resource, and how that is given back, whoever ends the job.

A worker that failed, a scheduler that found no place, whoever resets a status or deletes by force, and what gives up a job
that fails again and again: all come here. A row is read in the transaction that gives back what it holds, because it may
have another owner, type or size than when the work was begun.
"""

import dataclasses
import typing

from cinder_lite import errors, states
from cinder_lite.db import (
    attachments,
    backups,
    connections,
    groups,
    jobs,
    messages,
    metadata_index,
    pools,
    quotas,
    retypes,
    snapshots,
    transfers,
    volumes,
)
from cinder_lite.db.host_strings import service_of
from cinder_lite.jobs import lifecycle
from cinder_lite.jobs.lifecycle import BACKUP, SNAPSHOT, VOLUME
from cinder_lite.volume.drivers.base import Volume


@dataclasses.dataclass(frozen=True)
class Held:
    """What the jobs of an action hold.

    `own(tx, conf, row)` gives back what the resource's row counts, when it was never made and counts no longer.
    `others(tx, conf, job, row)` gives back everything else; `row` is None when it is gone. Both tolerate what is not there.
    """

    own: typing.Callable | None = None
    others: typing.Callable | None = None


def locked(tx, job):
    """The row of the job's resource, locked until the transaction ends; None when it is gone, or where there is none."""
    return lifecycle.KINDS[job.kind].locked(tx, job.resource_id)


# -- giving up

def fail(tx, conf, job, reason, **values):
    """The owner gives the job up: its resource fails, with `values` as further columns, and nothing is held any more.

    Returns whether the resource was in the action's status. Raises Stale when the job has another owner by now.
    """
    row = locked(tx, job)
    jobs.end(tx, job, states.FAILED, error=reason)
    return _give_up(tx, conf, job, row, reason, values)


def end(tx, conf, job, reason):
    """The same whoever works on the job, who can end it no more, and with a message to its owner. False when it is over."""
    row = locked(tx, job)
    if not jobs.abandon(tx, job, reason, conf.job_lease):
        return False
    _give_up(tx, conf, job, row, reason, {})
    messages.add(tx, job, *messages.of_job(job), reason, conf.message_ttl)
    return True


def _give_up(tx, conf, job, row, reason, values):
    held = HELD.get((job.kind, job.action), Held())
    counted = held.own is not None and row is not None and row.counted
    if counted:
        values = {**values, "counted": False}
    if job.kind == "backup" and job.action in ("create", "import"):
        values = {**values, "fail_reason": errors.public(reason)}
    settled = lifecycle.KINDS[job.kind].settle(tx, job.resource_id, job.action, False, **values)
    if settled and counted:
        held.own(tx, conf, row)
    if held.others is not None:
        held.others(tx, conf, job, row)
    return settled


def release(tx, conf, job):
    """Give back what an ended job holds, but for what its resource's own row counts: somebody else decides about that."""
    held = HELD.get((job.kind, job.action), Held())
    if held.others is not None:
        held.others(tx, conf, job, locked(tx, job))


# -- rows that go, or count no longer

def forget(tx, *rows):
    """What goes with volumes' rows: labels, attachments, transfers, quota and room."""
    for row in rows:
        metadata_index.remove(tx, row.id)
        attachments.delete_all(tx, row.id)
        connections.delete_all(tx, row.id)
        if states.AWAITING in (row.status, row.previous_status):
            transfers.delete_of_volume(tx, row.id)
    uncount(tx, *[row for row in rows if row.counted])


def uncount(tx, *rows):
    """Give back the room and the quota that volumes' rows hold."""
    for row in rows:
        quotas.release(tx, quotas.Change(row.project_id, {"volumes": 1, "gigabytes": row.size}, row.volume_type_id))
    for row in rows:
        pools.give_back(tx, row.host, row.size, 1)


def forget_snapshots(tx, conf, *rows):
    """What goes with snapshots' rows."""
    for row in rows:
        metadata_index.remove(tx, row.id)
        if row.counted:
            uncount_snapshot(tx, conf, row)


def uncount_snapshot(tx, conf, row):
    """Give back the quota that a snapshot's row holds."""
    quotas.release(tx, quotas.snapshot_share(conf, row))


def uncount_backup(tx, _conf, row):
    """Give back the quota that a backup's row holds."""
    quotas.release(tx, quotas.backup_share(row.project_id, row.size))


def remove_later(tx, job, volume, host, attached=None):
    """Promise that what a pool has of a drivers.Volume is removed, and what is `attached` there. Returns the job's id."""
    args = {"name_id": volume.name_id, "size": volume.size, "facts": volume.facts, "attached": attached}
    return jobs.add(tx, jobs.requester(job, overwrite=False), "leftover", volume.id, "remove", "volume", service_of(host), args)


def remove_copy_later(tx, job, row, copy_id):
    """Promise that the frozen copy `copy_id` of a volume is removed, from which a job that was ended has read."""
    args = {"name_id": row.name_id, "size": row.size, "facts": row.facts, "copy_id": copy_id}
    jobs.add(tx, jobs.requester(job, overwrite=False), "leftover", row.id, "remove_copy", "volume", service_of(row.host), args)


# -- the actions

def _uncount_volume(tx, _conf, row):
    uncount(tx, row)


def _args(job):
    return job.args if isinstance(job.args, dict) else {}


def _created_from(tx, _conf, job, row):
    id = row.backup_id if row is not None else _args(job).get("backup_id")
    if id:
        BACKUP.settle(tx, id, "lend", True)


def _extended(tx, _conf, job, row):
    args = _args(job)
    if row is not None and "new_size" in args:
        more = args["new_size"] - args.get("old_size", row.size)
        quotas.release(tx, quotas.Change(row.project_id, {"gigabytes": more}, row.volume_type_id))
        pools.give_back(tx, row.host, more, 0)


def _reverted(tx, _conf, job, _row):
    SNAPSHOT.settle(tx, _args(job).get("snapshot_id"), "revert", True)


def _not_deleted(tx, _conf, job, _row):
    # No host is connected while it is deleting, and none again should that fail.
    connections.end_of_volume(tx, job.resource_id)
    if _args(job).get("cascade"):
        for one in snapshots.of_volume(tx, job.resource_id):
            SNAPSHOT.settle(tx, one.id, "cascade", False)


def move(tx, _conf, job, row):
    """What a migration or a retype holds."""
    if row is None:
        return
    args = _args(job)
    if job.action == "retype":
        retypes.release(tx, row, {"new_type_id": None, **args})
    if job.stage in ("volume", states.AT_NOVA) and args.get("to") not in (None, row.host):
        pools.give_back(tx, args["to"], row.size, 1)
        attachments.delete_all(tx, job.id)
        connections.delete_all(tx, job.id)
        metadata_index.remove(tx, job.id)
        VOLUME.remove(tx, job.id)  # the stand-in of a volume in use
        # Read anew: what was attached was written down after the job was claimed.
        attached = jobs.get(tx, job.id).args.get("attached")
        remove_later(tx, job, Volume(row.id, row.size, name_id=job.id), args["to"], attached)
    if job.action != "retype" or row.migration_status is not None:
        VOLUME.write(tx, row.id, migration_status=states.NOT_MIGRATED)


def volume_of_backup(tx, job):
    """The volume that a backup is made of, itself and not a snapshot of it; or None."""
    row = backups.find(tx, job.resource_id)
    return volumes.find(tx, row.volume_id) if row is not None and row.snapshot_id is None else None


def _backed_up(tx, _conf, job, row):
    """The volume or snapshot goes back to the status it had."""
    volume_id, snapshot_id = (row.volume_id, row.snapshot_id) if row is not None else (
        _args(job).get("volume_id"), _args(job).get("snapshot_id"))
    if snapshot_id:
        SNAPSHOT.settle(tx, snapshot_id, "backup", True)
    else:
        VOLUME.settle(tx, volume_id, "backup", True)


def _restored(tx, conf, job, _row):
    id = _args(job).get("volume_id")
    if VOLUME.settle(tx, id, "restore", False):
        told = jobs.get(tx, job.id)
        reason = errors.Reason(told.error, told.public_error)
        messages.add(tx, job, *messages.of_job(job), reason, conf.message_ttl, ("volume", id))


def _group_made(tx, _conf, job, _row):
    members = groups.volumes_of(tx, job.resource_id)
    uncount(tx, *[one for one in members if VOLUME.settle(tx, one.id, "group_create", False, counted=False) and one.counted])


def _group_deleted(tx, _conf, job, _row):
    for one in groups.volumes_of(tx, job.resource_id):
        VOLUME.settle(tx, one.id, "group_delete", False)
        connections.end_of_volume(tx, one.id)


def _group_kept(tx, conf, job, _row):
    for one in groups.snapshots_of(tx, job.resource_id):
        if SNAPSHOT.settle(tx, one.id, "group_create", False, counted=False) and one.counted:
            uncount_snapshot(tx, conf, one)


def _group_kept_no_more(tx, _conf, job, _row):
    for one in groups.snapshots_of(tx, job.resource_id):
        SNAPSHOT.settle(tx, one.id, "group_delete", False)


_MOVE = Held(others=move)
#: (kind, action) of a job -> what it holds.
HELD = {
    ("volume", "create"): Held(_uncount_volume, _created_from), ("volume", "manage"): Held(_uncount_volume),
    ("volume", "extend"): Held(others=_extended), ("volume", "revert"): Held(others=_reverted),
    ("volume", "delete"): Held(others=_not_deleted), ("volume", "force_delete"): Held(others=_not_deleted),
    ("volume", "migrate"): _MOVE, ("volume", "migrate_locked"): _MOVE, ("volume", "migrate_in_use"): _MOVE,
    ("volume", "retype"): _MOVE,
    ("snapshot", "create"): Held(uncount_snapshot), ("snapshot", "manage"): Held(uncount_snapshot),
    ("group", "create_from"): Held(others=_group_made), ("group", "delete"): Held(others=_group_deleted),
    ("group_snapshot", "create"): Held(others=_group_kept),
    ("group_snapshot", "delete"): Held(others=_group_kept_no_more),
    ("backup", "create"): Held(uncount_backup, _backed_up), ("backup", "import"): Held(uncount_backup),
    ("backup", "restore"): Held(others=_restored),
}
