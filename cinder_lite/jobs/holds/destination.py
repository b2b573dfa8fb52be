"""Claims and releases what a volume that moves has at its destination: capacity, its copy, the migration status."""

from oslo_config import cfg

from cinder_lite import db, states
from cinder_lite.db import attachments, connections, job_queries, metadata_index, pools
from cinder_lite.db.host_strings import service_of
from cinder_lite.jobs.holds.base import Holding, Start, args_of
from cinder_lite.jobs.holds.cleanup import schedule_cleanup
from cinder_lite.jobs.lifecycle import VOLUME


class Destination(Holding, of=states.Destination):
    """See states.Destination. Its capacity is taken when the scheduler has chosen it; a move that succeeds keeps it."""

    @staticmethod
    def claim(tx: db.Transaction, _conf: cfg.ConfigOpts, hold: states.Destination, start: Start) -> None:
        VOLUME.write(tx, start.resource_id, migration_status=states.STARTING if hold.marked else None)

    @staticmethod
    def placed(tx: db.Transaction, volume: db.Row, pool: str, _zone: str) -> None:
        if pool != volume.host:
            VOLUME.write(tx, volume.id, migration_status=states.MIGRATING)

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


def leave_former_place(tx: db.Transaction, job: db.Row, row: db.Row) -> str:
    """Release the place that a volume's row names, from which it has moved. Returns the id of the job that removes it
    from there."""
    pools.give_back(tx, row.host, row.size, 1)
    return schedule_cleanup(tx, job, row.id, service_of(row.host) or "", name_id=row.name_id, size=row.size,
                            facts=row.facts)
