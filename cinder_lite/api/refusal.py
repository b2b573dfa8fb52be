"""What somebody is told who may not: that a resource of another project is not there, whatever is there."""

from cinder_lite import errors
from cinder_lite.db import attachments, backups, groups, jobs, messages, snapshots, transfers, types, volumes


def _job(tx, ctx, id):
    row = jobs.get(tx, id)
    if row is None or not ctx.sees(row.project_id):
        raise errors.JobNotFound(id=id)


#: Argument of a path -> what raises NotFound when the asker may not see the resource.
RESOURCES = {"volume_id": volumes.get, "snapshot_id": snapshots.get, "attachment_id": attachments.get,
             "backup_id": backups.get, "type_id": types.get, "message_id": messages.get,
             "job_id": _job, "transfer_id": transfers.get, "group_id": groups.get,
             "group_snapshot_id": groups.get_snapshot}


def hide(req, arguments):
    """Raise NotFound when the path names a resource that the asker cannot see."""
    for name, get in RESOURCES.items():
        if name in arguments:
            with req.db.read() as tx:
                get(tx, req.ctx, arguments[name])
