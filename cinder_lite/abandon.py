"""Ends the jobs of a resource from outside, for forced deletes and statuses set by hand.

Whoever works on such a job is fenced out of its final transaction, so what the job holds besides its resource's status
is given back here: the size that an extend has claimed, the status of another resource that it uses.
"""

from cinder_lite import errors, states
from cinder_lite.db import (
    attachments,
    backups,
    connections,
    groups,
    jobs,
    labels,
    pools,
    quotas,
    retypes,
    snapshots,
    volumes,
)
from cinder_lite.lifecycle import BACKUP, SNAPSHOT, VOLUME
from cinder_lite.volume.drivers.base import Volume
from cinder_lite.volume.hosts import service_of

REASON = errors.Reason("it was ended by an administrator's request")


def _extend(tx, job):
    row, more = volumes.find(tx, job.resource_id), job.args["new_size"] - job.args["old_size"]
    quotas.release(tx, quotas.Change(row.project_id, {"gigabytes": more}, row.volume_type_id))
    pools.give_back(tx, row.host, more, 0)


def _create_volume(tx, job):
    row = volumes.find(tx, job.resource_id)
    if row.backup_id:
        BACKUP.settle(tx, row.backup_id, "lend", True)


def _revert(tx, job):
    SNAPSHOT.settle(tx, job.args["snapshot_id"], "revert", True)


def _delete_volume(tx, job):
    if job.args.get("cascade"):
        for snapshot in snapshots.of_volume(tx, job.resource_id):
            SNAPSHOT.settle(tx, snapshot.id, "cascade", False)


def _create_backup(tx, job):
    row = backups.find(tx, job.resource_id)
    if row.snapshot_id:
        SNAPSHOT.settle(tx, row.snapshot_id, "backup", True)
    else:
        VOLUME.settle(tx, row.volume_id, "backup", True)


def _restore(tx, job):
    VOLUME.settle(tx, job.args["volume_id"], "restore", False)


def move(tx, job):
    """What a migration or a retype holds, whoever gives it up."""
    row = volumes.find(tx, job.resource_id)
    if job.action == "retype":
        retypes.release(tx, row, job.args)
    if job.stage in ("volume", states.AT_NOVA) and job.args["to"] != row.host:
        pools.give_back(tx, job.args["to"], row.size, 1)
        attachments.delete_all(tx, job.id)
        connections.delete_all(tx, job.id)
        labels.remove(tx, job.id)
        VOLUME.remove(tx, job.id)  # the stand-in of a volume in use
        # Read anew: what was attached was written down after the job was claimed.
        attached = jobs.get(tx, job.id).args.get("attached")
        leave(tx, job, Volume(row.id, row.size, name_id=job.id), job.args["to"], attached)
    if job.action != "retype" or row.migration_status is not None:
        VOLUME.write(tx, row.id, migration_status=states.NOT_MIGRATED)


def leave(tx, job, volume, host, attached=None):
    """Promise that what a pool has of a drivers.Volume is removed, and what is `attached` there. Returns the job's id."""
    args = {"name_id": volume.name_id, "size": volume.size, "facts": volume.facts, "attached": attached}
    return jobs.add(tx, jobs.asker(job, overwrite=False), "leftover", volume.id, "remove", "volume", service_of(host), args)


def _group(tx, job):
    """What a job of a group does to its volumes has failed."""
    action = "group_delete" if job.action == "delete" else "group_create"
    for row in groups.volumes_of(tx, job.resource_id):
        VOLUME.settle(tx, row.id, action, False)


def _group_snapshot(tx, job):
    action = "group_delete" if job.action == "delete" else "group_create"
    for row in groups.snapshots_of(tx, job.resource_id):
        SNAPSHOT.settle(tx, row.id, action, False)


#: (kind, action) of a live job -> function(tx, job) that gives back what it holds.
HELD = {
    ("volume", "extend"): _extend, ("volume", "create"): _create_volume, ("volume", "revert"): _revert,
    ("volume", "delete"): _delete_volume, ("volume", "force_delete"): _delete_volume,
    ("volume", "migrate"): move, ("volume", "migrate_locked"): move, ("volume", "migrate_in_use"): move,
    ("volume", "retype"): move,
    ("group", "create_from"): _group, ("group", "delete"): _group,
    ("group_snapshot", "create"): _group_snapshot, ("group_snapshot", "delete"): _group_snapshot,
    ("backup", "create"): _create_backup, ("backup", "restore"): _restore,
}


def all_jobs(tx, kind, id):
    """End every live job of the resource, which the caller has locked, and give back what they hold."""
    for job in jobs.live_of(tx, kind, id):
        if jobs.abandon(tx, job, REASON) and (kind, job.action) in HELD:
            HELD[kind, job.action](tx, job)
