"""Releases the capacity in the pool that a volume moves to, and removes its copy there."""

from oslo_config import cfg

from cinder_lite import db, states
from cinder_lite.db import attachments, connections, job_queries, metadata_index, pools
from cinder_lite.db.host_strings import service_of
from cinder_lite.jobs.holds.base import Holding, args_of
from cinder_lite.jobs.holds.cleanup import schedule_cleanup
from cinder_lite.jobs.lifecycle import VOLUME


class Destination(Holding, of=states.Destination):
    """See states.Destination. A move that succeeds keeps it."""

    @staticmethod
    def release(tx: db.Transaction, _conf: cfg.ConfigOpts, hold: states.Destination, job: db.Row, _kind: str,
                row: db.Row | None) -> None:
        if row is None:
            return
        to = args_of(job).get("to")
        if job.stage in (states.VOLUME, states.AT_NOVA) and to not in (None, row.host):
            pools.give_back(tx, to, row.size, 1)
            attachments.delete_all(tx, job.id)
            connections.delete_all(tx, job.id)
            metadata_index.remove(tx, job.id)
            VOLUME.remove(tx, job.id)  # the row of the copy of a volume in use
            # Read again: what was attached was recorded after the job was claimed.
            attached = (job_queries.get(tx, job.id) or job).args.get("attached")
            schedule_cleanup(tx, job, row.id, service_of(to) or "", name_id=job.id, size=row.size, facts={},
                             attached=attached)
        if hold.marked or row.migration_status is not None:
            VOLUME.write(tx, row.id, migration_status=states.NOT_MIGRATED)
