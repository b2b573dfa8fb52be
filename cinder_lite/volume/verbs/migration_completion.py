"""Completes migrations of attached volumes, which Nova copies to a migration target.

The migration target has the id of the job that migrates the volume. When Nova reports that the server uses the target,
the target's place and attachments become the volume's, and its row is deleted.
"""

from typing import Any

from oslo_config import cfg

from cinder_lite import context, db, errors, states
from cinder_lite.db import attachments, connections, job_changes, job_queries, metadata_index, volumes
from cinder_lite.db.host_strings import service_of
from cinder_lite.jobs import holds
from cinder_lite.jobs.lifecycle import VOLUME
from cinder_lite.volume.verbs.attachments import mirror


class MigrationCompletion:
    """The operations by which Nova reports that it has swapped volumes of a server."""

    def __init__(self, database: db.Database, conf: cfg.ConfigOpts, volume: Any) -> None:
        self.db, self.conf, self.volume = database, conf, volume

    def complete(self, ctx: context.Context, id: str, new_id: str, failed: bool) -> str:
        """Record that Nova has copied a volume to another, or failed. Returns the id of the one that stays in use."""
        in_use_id, host, job_id = self._complete(ctx, id, new_id, failed)
        if job_id is not None:
            self.volume.on(host).run_job(ctx, job_id=job_id)
        return in_use_id

    @db.retried
    def _complete(self, ctx, id, new_id, failed):
        with self.db.write() as tx:
            for one in sorted((id, new_id)):
                VOLUME.lock(tx, one)
            row, new = volumes.get(tx, ctx, id), volumes.get(tx, ctx, new_id)
            if {row.migration_status, new.migration_status} <= {None, *states.NOT_MIGRATING}:
                return self._exchanged(tx, row, new, failed), None, None
            job = next((one for one in job_queries.live_of(tx, "volume", id) if one.id == new_id), None)
            if job is None or new.migration_status != f"{states.TARGET}{id}":
                status = row.migration_status or "none"
                raise errors.InvalidState(kind="volume", reason=(
                    f"Nova was not requested to copy it to {new_id}; its migration status is {status}"))
            if failed:
                self._not_copied(tx, job, row)
                return id, None, None
            return id, service_of(row.host), self._copied(tx, job, row, new)

    @staticmethod
    def _exchanged(tx, row, new, failed):
        """Record that a server's volume was swapped on request, without a migration. Returns the new volume's id."""
        if row.status not in (states.IN_USE, states.DETACHING) or new.status not in (
                states.RESERVED, states.ATTACHING, states.IN_USE):
            raise errors.InvalidState(kind="volume", reason=(
                f"the volume that leaves the server must be in-use or detaching, but is {row.status}; the one that "
                f"replaces it must be reserved, attaching or in-use, but is {new.status}"))
        if not failed:
            attachments.reassign(tx, row, new)
            mirror(tx, row)
            mirror(tx, new)
        return new.id

    def _not_copied(self, tx, job, row):
        reason = errors.Reason("Nova could not copy the volume; the log of the server's compute service has the reason")
        holds.end(tx, self.conf, job, reason)
        mirror(tx, volumes.find(tx, row.id))

    def _copied(self, tx, job, row, new):
        """Give the volume the place of its copy. Returns the id of the job that removes it from the former place."""
        job_changes.conclude(tx, job)
        attachments.delete_all(tx, row.id)  # deleted already, unless Nova uses the volume actions
        attachments.reassign(tx, new, row)
        connections.delete_all(tx, row.id)  # the exports of the former place are removed with it
        connections.reassign(tx, new.id, row.id)
        metadata_index.remove(tx, new.id)
        VOLUME.remove(tx, new.id)
        VOLUME.settle(tx, row.id, job.action, True)
        VOLUME.write(tx, row.id, host=new.host, availability_zone=new.availability_zone, name_id=new.id,
                     facts=new.facts, export=new.export, volume_type_id=new.volume_type_id,
                     migration_status=states.MIGRATED, service_uuid=new.service_uuid,
                     shared_targets=new.shared_targets)
        mirror(tx, volumes.find(tx, row.id))
        holds.keep(tx, self.conf, job, row)
        return holds.leave_former_place(tx, job, row)
