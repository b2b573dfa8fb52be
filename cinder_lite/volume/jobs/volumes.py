"""Runs the jobs of volumes and snapshots on a backend, and answers the calls of the volume service."""

import dataclasses
import logging
from collections.abc import Mapping
from typing import Any

from oslo_config import cfg

from cinder_lite import context, db, errors, states
from cinder_lite.db import backups, job_queries, snapshots, volumes
from cinder_lite.jobs import holds, worker
from cinder_lite.jobs.lifecycle import VOLUME
from cinder_lite.nova import client
from cinder_lite.nova.events import ServerEvents
from cinder_lite.volume import driver_views
from cinder_lite.volume.backends import Backend
from cinder_lite.volume.drivers import base as drivers
from cinder_lite.volume.exports import Exports
from cinder_lite.volume.jobs.images import ImageJobs
from cinder_lite.volume.rpcapi import VolumeRPC

LOG = logging.getLogger(__name__)


class VolumeManager(VolumeRPC):
    """The jobs and calls of one backend. The backends of a process are independent of each other."""

    def __init__(self, database: db.Database, conf: cfg.ConfigOpts, backend: Backend, owner: str, backup: Any,
                 images: ImageJobs, exports: Exports, owners: Mapping[str, object]) -> None:
        """`owner` names the process in the jobs that it claims; `backup` is the client of the backup service.

        `owners` are further objects with handlers: {name in states.Action.work: object}.
        """
        self.db, self.conf, self.backend = database, conf, backend
        self.driver: Any = backend.driver
        self.target = backend.target
        self.backup, self.images, self.exports, self.servers = backup, images, exports, ServerEvents(database, conf)
        handlers = worker.handlers(states.VOLUME, {"volumes": self, "servers": self.servers, **owners}, backend)
        self.worker = worker.Worker(database, conf, states.VOLUME, backend.name, owner, handlers,
                                    conf.volume_max_operations)
        self._flows: Any = None

    def run_job(self, ctx: context.Context, job_id: str) -> None:
        self.worker.wake(job_id)

    # -- volumes

    def create(self, work: worker.Work) -> None:
        # taskflow is imported by the first create, not at start.
        from cinder_lite.volume.flows import create

        with self.db.read() as tx:
            row = work.volume or worker.found(volumes.find(tx, work.job.resource_id))
            work.begin()
            recipe = self._recipe(tx, create, work, row)
            backup = self._backup(tx, row) if row.backup_id else None
        volume = driver_views.as_volume(row)
        if self._flows is None:
            self._flows = create.build_flows(self.driver)
        try:
            if recipe.kind == "image":
                facts = self.images.create(self._flows, work, row, volume, recipe.source)
            else:
                facts = create.run(self._flows, volume, recipe, work.progress)
        except drivers.DriverError as error:
            if self._try_elsewhere(work, row, error):
                return
            raise
        columns = {"facts": facts or {}, **self.backend.ownership}
        work.keep(launched_at=db.now(), **columns)
        if backup is not None:
            work.pass_on("backup", backup.host)
            work.at_end(lambda tx, row: self._record(tx, row, columns))
            work.afterwards(lambda: self.backup.on(backup.host).run_job(work.ctx, job_id=work.job.id))

    @staticmethod
    def _record(tx, row, columns):
        if row is not None:
            VOLUME.write(tx, row.id, **columns)

    @staticmethod
    def _backup(tx, row):
        return worker.found(backups.find(tx, row.backup_id), f"its source, backup {row.backup_id},")

    def _recipe(self, tx, create, work, row):
        if row.source_volid:
            source = worker.found(volumes.find(tx, row.source_volid), f"its source, volume {row.source_volid},")
            return create.Recipe("volume", driver_views.as_volume(source))
        if row.snapshot_id:
            source = worker.found(snapshots.find(tx, row.snapshot_id), f"its source, snapshot {row.snapshot_id},")
            return create.Recipe("snapshot", driver_views.as_snapshot(source, worker.found(
                volumes.find(tx, source.volume_id), f"volume {source.volume_id}, the volume of its source,")))
        image_id = work.args.get("image_id") or row.image_metadata.get("image_id")
        if image_id and not row.backup_id:
            return create.Recipe("image", image_id)
        return create.Recipe("blank")

    def _try_elsewhere(self, work, row, error):
        """Pass the job back to the scheduler to try another backend. Returns False after scheduler_max_attempts."""
        failures = [*work.args.get("failures", ()), {"host": row.host, "reason": str(error)}]
        if row.source_volid or row.snapshot_id or len(failures) >= self.conf.scheduler_max_attempts:
            return False
        LOG.warning("volume %s could not be created on %s, another backend is tried: %s", row.id, row.host, error)
        work.args |= {"tried": [*work.args.get("tried", ()), self.backend.name], "failures": failures}
        work.pass_on("scheduler", None)
        work.at_end(self._leave_pool)
        return True

    @staticmethod
    def _leave_pool(tx, row):
        if row is not None:
            holds.leave_pool(tx, row)

    def delete(self, work: worker.Work) -> None:
        with self.db.read() as tx:
            work.after_others(tx)
            row = (None if work.args.get("after") else work.volume) or volumes.find(tx, work.job.resource_id)
            copies = [one.args["copy_id"] for one in job_queries.live_of(tx, "leftover", work.job.resource_id)
                      if one.action == "remove_copy"] if work.args.get("after") else []
            deleted = snapshots.of_volume(tx, work.job.resource_id) if work.args.get("cascade") else []
        if row is None:
            return
        volume = driver_views.as_volume(row)
        work.begin()
        self.backend.remove_exports(volume)
        for copy_id in copies:
            self.backend.call(self.driver.delete_snapshot, drivers.Snapshot(id=copy_id, size=row.size, volume=volume))
        for snapshot in deleted:
            self.backend.call(self.driver.delete_snapshot, driver_views.as_snapshot(snapshot, row))
        self.backend.call(self.driver.delete, volume)
        for snapshot in deleted:
            work.keep_member(snapshot.id)

    def extend(self, work: worker.Work) -> None:
        new_size = work.args["new_size"]
        with self.db.read() as tx:
            row = worker.found(volumes.find(tx, work.job.resource_id))
        volume = driver_views.as_volume(row)
        if row.attach_status == states.ATTACHED:
            self.servers.send_when_done(work, client.EXTENDED)
        work.begin()
        self.backend.call(self.driver.extend, volume, new_size)
        self.exports.resize(row)
        work.keep(size=new_size)

    def revert(self, work: worker.Work) -> None:
        with self.db.read() as tx:
            row = worker.found(volumes.find(tx, work.job.resource_id))
            snapshot_id = work.args["snapshot_id"]
            snapshot = worker.found(snapshots.find(tx, snapshot_id), f"snapshot {snapshot_id}")
        work.keep_member(snapshot.id)
        work.begin()
        if not isinstance(self.driver, drivers.Revertable):
            raise worker.Refused(f"the driver of {self.backend.name} cannot revert volumes",
                                 public="its storage cannot revert volumes")
        self.exports.reconcile(row.id)
        self.backend.call(self.driver.revert, driver_views.as_volume(row), driver_views.as_snapshot(snapshot, row))

    # -- snapshots

    def create_snapshot(self, work: worker.Work) -> None:
        snapshot = self._snapshot(work)
        work.begin()
        try:
            facts = self.backend.call(self.driver.create_snapshot, snapshot)
        except drivers.DriverError:
            with worker.quiet(f"removing the incomplete snapshot {snapshot.id}"):
                self.backend.call(self.driver.delete_snapshot, snapshot)
            raise
        work.keep(facts=facts or {}, progress="100%")

    def delete_snapshot(self, work: worker.Work) -> None:
        with self.db.read() as tx:
            work.after_others(tx)
        work.begin()
        self.backend.call(self.driver.delete_snapshot, self._snapshot(work))

    def _snapshot(self, work):
        with self.db.read() as tx:
            row = worker.found(snapshots.find(tx, work.job.resource_id))
            volume = worker.found(volumes.find(tx, row.volume_id), f"its volume, {row.volume_id},")
            return driver_views.as_snapshot(row, volume)

    # -- connections

    def connect(self, ctx: context.Context, volume_id: str, attachment_id: str | None, connector: dict | None,
                connection_id: str | None = None, generation: int | None = None) -> dict:
        return self.exports.connect(volume_id, attachment_id, connector, connection_id, generation)

    def disconnect(self, ctx: context.Context, volume_id: str, attachment_id: str | None, connector: dict | None,
                   marked: bool = False) -> None:
        self.exports.disconnect(volume_id, attachment_id, connector, marked)

    # -- bytes for processes of this host

    def open_local(self, ctx: context.Context, kind: str, id: str, host: str, copy_id: str | None = None) -> dict:
        if host != self.conf.host and self.backend.same_host:
            raise errors.OnAnotherHost(backend=self.backend.name, host=self.conf.host, asking=host)
        if not isinstance(self.driver, drivers.HasPath | drivers.Connects):
            raise errors.BackendFailed(reason=f"the driver of {self.backend.name} stores no data")
        with self.db.read() as tx:
            snapshot = snapshots.find(tx, id) if kind == "snapshot" else None
            row = volumes.find(tx, snapshot.volume_id if snapshot is not None else id)
            backup = backups.find(tx, copy_id) if kind == "frozen" else None
        if row is None:
            raise errors.VolumeNotFound(id=id)
        if kind == "frozen" and (backup is None or backup.status != states.CREATING):
            raise errors.InvalidState(kind="backup", reason="it is not being created any more")
        # Hosts whose connections have ended must not write to the volume while it is read or written here.
        self.exports.reconcile(row.id)
        try:
            return self._open(kind, row, snapshot, copy_id)
        except drivers.DriverError as error:
            raise errors.BackendFailed(reason=str(error), public=error.public) from error

    def _open(self, kind, row, snapshot, copy_id):
        if kind == "snapshot":
            return self.backend.snapshot_content(driver_views.as_snapshot(snapshot, row))
        volume = driver_views.as_volume(row)
        if kind == "frozen":
            frozen = drivers.Snapshot(id=copy_id, size=row.size, volume=volume)
            self.backend.call(self.driver.create_snapshot, frozen)
            return self.backend.snapshot_content(frozen)
        return self.backend.content(volume)

    def close_local(self, ctx: context.Context, volume_id: str, copy_id: str) -> None:
        with self.db.read() as tx:
            row = volumes.find(tx, volume_id)
        if row is not None:
            frozen = drivers.Snapshot(id=copy_id, size=row.size, volume=driver_views.as_volume(row))
            try:
                self.backend.call(self.driver.delete_snapshot, frozen)
            except drivers.DriverError as error:
                raise errors.BackendFailed(reason=str(error), public=error.public) from error

    def check_reference(self, ctx: context.Context, reference: dict) -> None:
        self._check_manages()
        try:
            self.driver.name_of(reference)
        except drivers.DriverError as error:
            raise errors.InvalidInput(reason=f"The reference is not one of this backend: {error}.") from error

    def _check_manages(self):
        if not isinstance(self.driver, drivers.ManagesExisting):
            raise errors.InvalidInput(reason=(
                f"The driver of {self.backend.name} cannot manage existing volumes or snapshots."),
                public="Invalid input received: The driver cannot manage existing volumes or snapshots.")

    def manageable(self, ctx: context.Context, kind: str) -> list[dict]:
        self._check_manages()
        list_existing = self.driver.existing_volumes if kind == "volume" else self.driver.existing_snapshots
        try:
            return [dataclasses.asdict(found) for found in self.backend.call(list_existing)]
        except drivers.DriverError as error:
            raise errors.BackendFailed(reason=str(error), public=error.public) from error

    def capabilities(self, ctx: context.Context) -> dict:
        name, values = self.backend.measure()[0]
        known = values["capabilities"]
        return {
            "namespace": f"OS::Storage::Capabilities::{self.backend.name}", "vendor_name": known["vendor_name"],
            "volume_backend_name": known["volume_backend_name"], "pool_name": name.partition("#")[2],
            "driver_version": known["driver_version"], "storage_protocol": known["storage_protocol"],
            "display_name": known["volume_backend_name"],
            "description": (type(self.driver).__doc__ or "").partition("\n")[0],
            "visibility": None, "replication_targets": [],
            "properties": {
                "thin_provisioning": {"title": "Thin Provisioning", "type": "boolean",
                                      "description": "Whether volumes use capacity only for written data."}}}
