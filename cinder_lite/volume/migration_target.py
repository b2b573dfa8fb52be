"""The row of the copy to which a server's volume moves; it has the id of the job, and is removed with it."""

from collections.abc import Mapping
from typing import Any

from cinder_lite import db, states
from cinder_lite.db import volumes
from cinder_lite.jobs.lifecycle import VOLUME
from cinder_lite.jobs.work import Work


def insert(tx: db.Transaction, work: Work, row: db.Row, zone: str, columns: Mapping[str, Any]) -> bool:
    """Insert the row of the copy, with the `columns` that its backend sets. False when there is one already."""
    if volumes.find(tx, work.job.id) is not None:
        return False
    VOLUME.insert(tx, work.ctx, "migration_target", {
        "id": work.job.id, "project_id": row.project_id, "user_id": row.user_id, "name": row.name, "size": row.size,
        "host": work.args["to"], "availability_zone": zone, "launched_at": db.now(), "export": {},
        "migration_status": f"{states.TARGET}{row.id}", "counted": False, "consumes_quota": False,
        "volume_type_id": work.args.get("new_type_id", row.volume_type_id), "multiattach": row.multiattach,
        "bootable": row.bootable, "encryption_key_id": row.encryption_key_id, "metadata": {}, "admin_metadata": {},
        "image_metadata": {}, **columns})
    return True
