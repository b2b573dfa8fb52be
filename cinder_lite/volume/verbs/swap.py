"""Volumes of servers that move: Nova copies one to a stand-in and says when its server goes on with that.

The stand-in has the id of the job that moves the volume, and vanishes with it: its place and its attachments become the
volume's.
"""

from cinder_lite import db, errors, states
from cinder_lite.db import attachments, connections, jobs, metadata_index, pools, volumes
from cinder_lite.db.host_strings import service_of
from cinder_lite.jobs import holds
from cinder_lite.jobs.lifecycle import VOLUME
from cinder_lite.volume.verbs.attachments import mirror


class Swaps:
    """What Nova says of volumes that it has put in the place of others."""

    def __init__(self, database, conf, volume):
        self.db, self.conf, self.volume = database, conf, volume

    def complete(self, ctx, id, new_id, failed):
        """Nova has copied a volume to another, or could not. Returns the id of the one with which the server goes on."""
        goes_on, host, job_id = self._complete(ctx, id, new_id, failed)
        if job_id is not None:
            self.volume.on(host).run_job(ctx, job_id=job_id)
        return goes_on

    @db.retried
    def _complete(self, ctx, id, new_id, failed):
        with self.db.write() as tx:
            for one in sorted((id, new_id)):
                VOLUME.lock(tx, one)
            row, new = volumes.get(tx, ctx, id), volumes.get(tx, ctx, new_id)
            if {row.migration_status, new.migration_status} <= {None, *states.NOT_MIGRATING}:
                return self._exchanged(tx, row, new, failed), None, None
            job = next((one for one in jobs.live_of(tx, "volume", id) if one.id == new_id), None)
            if job is None or new.migration_status != f"{states.TARGET}{id}":
                raise errors.InvalidState(kind="volume", reason=(
                    f"Nova was not asked to copy it to {new_id}; its migration status is {row.migration_status or 'none'}"))
            if failed:
                self._not_copied(tx, job, row)
                return id, None, None
            return id, service_of(row.host), self._copied(tx, job, row, new)

    @staticmethod
    def _exchanged(tx, row, new, failed):
        """A server's volume was replaced by another because somebody wanted the other one. Returns the new one's id."""
        if row.status not in (states.IN_USE, states.DETACHING) or new.status not in (
                states.RESERVED, states.ATTACHING, states.IN_USE):
            raise errors.InvalidState(kind="volume", reason=(
                f"one that leaves a server is in-use or detaching, and is {row.status}; the one that takes its place is "
                f"reserved, attaching or in-use, and is {new.status}"))
        if not failed:
            attachments.reassign(tx, row, new)
            mirror(tx, row)
            mirror(tx, new)
        return new.id

    def _not_copied(self, tx, job, row):
        reason = errors.Reason("Nova could not copy the volume; the log of the compute service of its server says why")
        holds.end(tx, self.conf, job, reason)
        mirror(tx, volumes.find(tx, row.id))

    def _copied(self, tx, job, row, new):
        """Returns the id of the job that clears the former place."""
        jobs.conclude(tx, job)
        attachments.delete_all(tx, row.id)  # gone already, unless Nova attached it the old way
        attachments.reassign(tx, new, row)
        connections.delete_all(tx, row.id)  # what the former place exports goes with it
        connections.reassign(tx, new.id, row.id)
        metadata_index.remove(tx, new.id)
        VOLUME.remove(tx, new.id)
        VOLUME.settle(tx, row.id, job.action, True)
        VOLUME.write(tx, row.id, host=new.host, availability_zone=new.availability_zone, name_id=new.id, facts=new.facts,
                     export=new.export, volume_type_id=new.volume_type_id, migration_status=states.MIGRATED,
                     service_uuid=new.service_uuid, shared_targets=new.shared_targets)
        mirror(tx, volumes.find(tx, row.id))
        holds.keep(tx, self.conf, job, row)
        pools.give_back(tx, row.host, row.size, 1)
        return holds.schedule_former_cleanup(tx, job, row)
