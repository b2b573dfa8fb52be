"""Runs the jobs of backups."""

import contextlib
import logging
from typing import Any

from oslo_config import cfg

from cinder_lite import concurrency, context, db, errors, states
from cinder_lite.backup import cinder, manifest, record, writer
from cinder_lite.backup import reader as restore
from cinder_lite.backup.rpcapi import BackupRPC
from cinder_lite.backup.stores import base as stores
from cinder_lite.blockio import device
from cinder_lite.db import backups, metadata_index, snapshots, volumes
from cinder_lite.db.host_strings import service_of
from cinder_lite.jobs import handlers, holds, outcomes
from cinder_lite.jobs.lifecycle import VOLUME
from cinder_lite.jobs.work import Work
from cinder_lite.jobs.worker import Worker
from cinder_lite.rpc import calls
from cinder_lite.volume.drivers.base import GIB

LOG = logging.getLogger(__name__)


class BackupManager(BackupRPC):
    """Runs the jobs of one host's backup service. A repeated job is resumed from the data in the store."""

    def __init__(self, database: db.Database, conf: cfg.ConfigOpts, store: stores.Store, volume: Any,
                 owner: str) -> None:
        """`volume` is the client of the volume service; `owner` names the process in the jobs that it claims."""
        self.db, self.conf, self.store, self.volume = database, conf, store, volume
        self.cinder_backups = cinder.CinderBackups(store, conf)
        bound = handlers.bind(states.BACKUP, {"backups": self}, store)
        self.worker = Worker(database, conf, states.BACKUP, conf.host, owner, bound, conf.backup_max_operations)

    def run_job(self, ctx: context.Context, job_id: str) -> None:
        self.worker.wake(job_id)

    # -- create

    def create(self, work: Work) -> None:
        with self.db.read() as tx:
            row = outcomes.found(backups.find(tx, work.job.resource_id))
            volume = outcomes.found(volumes.find(tx, row.volume_id), f"volume {row.volume_id}")
            snapshot = parent = None
            if row.snapshot_id:
                snapshot = outcomes.found(snapshots.find(tx, row.snapshot_id), f"snapshot {row.snapshot_id}")
            if row.parent_id:
                parent = outcomes.found(backups.find(tx, row.parent_id), f"its parent, {row.parent_id},")
        place = manifest.Place(row.id, row.container or self.store.container(row.id))
        frozen = volume.attach_status != states.DETACHED and snapshot is None
        kind, id = ("snapshot", snapshot.id) if snapshot is not None else ("frozen" if frozen else "volume", volume.id)
        host = self.volume.on(service_of(volume.host))
        try:
            work.begin()
            where = self._open(work, host, kind=kind, id=id, copy_id=row.id)
            origin = f"{row.id} {work.job.attempt}" if frozen else id
            written = concurrency.in_thread(self._write, work, row, place, where, parent, origin)
        except manifest.Cancelled as error:
            raise outcomes.Interrupted from error
        except manifest.Superseded as error:
            # The stored objects belong to the worker that took over.
            raise errors.Stale(id=work.job.id, attempt=work.job.attempt) from error
        except (stores.StoreError, manifest.BackupError, device.ContentError):
            work.clean_up(f"removing the stored objects of backup {row.id}",
                          lambda: concurrency.in_thread(manifest.delete, self.store, place))
            raise
        finally:
            # The volume may have been attached, and therefore frozen, in a former attempt.
            if frozen or (snapshot is None and work.job.attempt > 1):
                self._close(work, host, volume.id, row.id)
        work.keep(container=written.container, object_count=written.object_count,
                  facts={"service_metadata": written.service_metadata, "stored_bytes": written.stored_bytes})

    def _open(self, work, host, **resource):
        """The location of a volume's or snapshot's bytes. Raises Interrupted if the volume service does not answer."""
        try:
            with work.outside():
                return host.open_local(work.ctx, host=self.conf.host, **resource)
        except calls.NoAnswer as error:
            raise outcomes.Interrupted from error

    @staticmethod
    def _close(work, host, volume_id, copy_id):
        """Remove a frozen copy now, or record a job that removes it when this job ends."""
        def schedule_cleanup(tx):
            row = volumes.find(tx, volume_id)
            if row is not None and row.host is not None:
                holds.schedule_copy_cleanup(tx, work.job, row, copy_id)

        try:
            # The worker that took over may read the copy.
            with work.outside(), work.fence:
                host.close_local(work.ctx, volume_id=volume_id, copy_id=copy_id)
        except calls.NoAnswer as error:
            raise outcomes.Interrupted from error
        except errors.Error as error:
            LOG.warning("the frozen copy %s of volume %s cannot be removed yet: %s", copy_id, volume_id, error)
            work.when_done(schedule_cleanup)

    def _write(self, work, row, place, where, parent, origin):
        older = manifest.Place.of(parent) if parent is not None else None
        with device.source(where) as source:
            return writer.write(self.store, place, source, row.size * GIB,
                                writer.Format.of(self.conf, self.store.largest), older,
                                origin=origin, progress=work.progress, cancelled=work.cancelled)

    # -- restore

    def restore(self, work: Work) -> None:
        with self.db.read() as tx:
            row = outcomes.found(backups.find(tx, work.job.resource_id))
            volume = outcomes.found(volumes.find(tx, work.args["volume_id"]), f"volume {work.args['volume_id']}")
        recorded = self._record(row)

        def columns(tx):
            present = VOLUME.locked(tx, volume.id)
            if present is None or present.status != states.RESTORING_BACKUP:
                return {}
            found = record.columns(recorded, row, present)
            metadata_index.update(tx, present, metadata=found["metadata"])
            return found

        work.members[volume.id] = columns
        self._restore(work, row, volume, is_zero=False)

    def restore_to_new(self, work: Work) -> None:
        """The last stage of creating a volume from a backup, whose data is restored to the new, empty volume."""
        with self.db.read() as tx:
            volume = outcomes.found(volumes.find(tx, work.job.resource_id))
            row = outcomes.found(backups.find(tx, volume.backup_id), f"its source, backup {volume.backup_id},")
        recorded = self._record(row)
        work.keep(launched_at=db.now())

        def described(tx, present):
            columns = record.columns(recorded, row, present)
            # Metadata of the request is kept.
            columns["metadata"] |= {key: value for key, value in present.metadata.items() if key != "src_backup_id"}
            metadata_index.update(tx, present, metadata=columns["metadata"])
            VOLUME.write(tx, volume.id, **columns)

        work.at_end(described)
        self._restore(work, row, volume, is_zero=True)

    def _record(self, row):
        """The metadata of the volume that was backed up; if the store's cannot be read, the database's."""
        legacy = self.cinder_backups.of(row)
        if legacy is not None:
            with outcomes.quiet(f"reading the metadata of backup {row.id}"):
                return concurrency.in_thread(legacy.record, row)
        return row.volume_record if isinstance(row.volume_record, dict) else {}

    def _restore(self, work, row, volume, is_zero):
        work.begin()
        where = self._open(work, self.volume.on(service_of(volume.host)), kind="volume", id=volume.id)
        with self.db.read() as tx:
            chain = backups.chain(tx, row)
        if self.cinder_backups.of(row) is not None and chain[-1].parent_id:
            raise outcomes.Refused(f"its parent, backup {chain[-1].parent_id}, is missing; import it first")
        try:
            concurrency.in_thread(self._read, work, chain, where, is_zero and not work.args.get("restored"))
        except manifest.Cancelled as error:
            raise outcomes.Interrupted from error

    def _read(self, work, chain, where, is_zero):
        def progress(done, whole):
            work.args["restored"] = done
            work.progress(done, whole)

        row = chain[0]
        options = {"target_is_zero": is_zero, "start": work.args.get("restored", 0), "progress": progress,
                   "cancelled": work.cancelled}
        legacy = self.cinder_backups.of(row)
        if legacy is not None:
            legacy.restore(chain, where, fence=work.fence, **options)
        else:
            with device.target(where, work.fence) as target:
                restore.restore(self.store, manifest.Place.of(row), target, threads=self.conf.backup_threads, **options)

    # -- delete, import

    def delete(self, work: Work) -> None:
        work.begin()
        with self.db.read() as tx:
            work.after_others(tx)
            row = outcomes.found(backups.find(tx, work.job.resource_id))
            place = manifest.Place.of(row) if row.container else manifest.Place(row.id, self.store.container(row.id))
            shared = any(manifest.Place.of(other) == place for other in backups.others_in(tx, row))
        legacy = self.cinder_backups.of(row)
        if legacy is not None:
            concurrency.in_thread(legacy.delete, row)
        elif not shared and place.is_valid:
            concurrency.in_thread(manifest.delete, self.store, place)

    def _check_size(self, row):
        """Raise Refused if the size of the backup in the store differs from the record's."""
        if self.cinder_backups.of(row) is not None:
            return
        with contextlib.suppress(stores.ObjectMissing):
            size = manifest.load(self.store, manifest.Place.of(row)).size
            if size != row.size * GIB:
                raise outcomes.Refused(f"its size in the record is {row.size} GiB, but the backup in the store has "
                                       f"{size} bytes")

    def import_record(self, work: Work) -> None:
        """Make an imported record available if the store has the backup that it names."""
        with self.db.read() as tx:
            row = outcomes.found(backups.find(tx, work.job.resource_id))
        work.begin()
        concurrency.in_thread(self._check_size, row)
        if not concurrency.in_thread(exists, self.store, self.cinder_backups, row):
            raise outcomes.Refused(f"the store has no backup {row.id} in container {row.container}",
                                   public=f"the store has no backup {row.id}")


def exists(store: stores.Store, legacy: Any, row: db.Row) -> bool:
    """Whether the store has the backup of that row; `legacy` reads backups in Cinder's formats."""
    reader = legacy.of(row)
    return manifest.exists(store, manifest.Place.of(row)) if reader is None else reader.exists(row)
