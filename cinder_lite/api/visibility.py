"""Hides resources of other projects from requesters who are not allowed an operation: 404 in place of 403."""

from collections.abc import Mapping

from cinder_lite import context, db, errors
from cinder_lite.api.request import Request
from cinder_lite.db import attachments, backups, groups, job_queries, messages, snapshots, transfers, types, volumes


def _get_job(tx: db.Transaction, ctx: context.Context, id: str) -> None:
    row = job_queries.get(tx, id)
    if row is None or not ctx.sees(row.project_id):
        raise errors.JobNotFound(id=id)


#: Argument of a path -> function(tx, ctx, id) that raises NotFound when the requester may not see the resource.
RESOURCES = {"volume_id": volumes.get, "snapshot_id": snapshots.get, "attachment_id": attachments.get,
             "backup_id": backups.get, "type_id": types.get, "message_id": messages.get,
             "job_id": _get_job, "transfer_id": transfers.get, "group_id": groups.get,
             "group_snapshot_id": groups.get_snapshot}


def expect_visible(req: Request, arguments: Mapping[str, str]) -> None:
    """Raise NotFound when the path names a resource that the requester cannot see."""
    for name, get in RESOURCES.items():
        if name in arguments:
            with req.db.read() as tx:
                get(tx, req.ctx, arguments[name])
