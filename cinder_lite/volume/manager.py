"""The volume service at work: what each job and each call does on a backend."""

import dataclasses
import logging

from cinder_lite import compute, db, errors, states, worker
from cinder_lite.db import backups, connections, labels, pools, quotas, snapshots, volumes
from cinder_lite.lifecycle import SNAPSHOT, VOLUME
from cinder_lite.volume import api
from cinder_lite.volume.drivers import base as drivers
from cinder_lite.volume.rpcapi import VolumeRPC
from cinder_lite.volume.servers import Servers

LOG = logging.getLogger(__name__)

#: (kind, action) of a job -> (action, cause) of the message when it fails.
MESSAGES = {
    ("volume", "create"): ("create", "create failed"), ("volume", "delete"): ("delete", "unknown"),
    ("volume", "force_delete"): ("delete", "unknown"), ("volume", "extend"): ("extend", "extend failed"),
    ("volume", "migrate"): ("migrate", "unknown"), ("volume", "migrate_locked"): ("migrate", "unknown"),
    ("volume", "migrate_in_use"): ("migrate", "unknown"),
    ("volume", "retype"): ("retype", "unknown"), ("volume", "manage"): ("manage", "unknown"),
    ("volume", "upload"): ("upload", "unknown"), ("volume", "upload_in_use"): ("upload", "unknown"),
    ("volume", "reimage"): ("reimage", "unknown"), ("volume", "reimage_reserved"): ("reimage", "unknown"),
    ("volume", "unmanage"): ("unmanage", "unknown"), ("snapshot", "manage"): ("snapshot manage", "unknown"),
    ("snapshot", "unmanage"): ("snapshot unmanage", "unknown"), ("leftover", "remove"): ("delete", "unknown"),
    ("volume", "revert"): ("snapshot revert", "unknown"), ("snapshot", "create"): ("snapshot create", "snapshot create"),
    ("group", "delete"): ("delete", "unknown"), ("group_snapshot", "create"): ("snapshot create", "snapshot create"),
    ("group_snapshot", "delete"): ("snapshot delete", "snapshot delete"),
    ("snapshot", "delete"): ("snapshot delete", "snapshot delete"),
    ("snapshot", "force_delete"): ("snapshot delete", "snapshot delete"),
    ("server", compute.EXTENDED): ("extend", "unknown"), ("server", compute.REIMAGED): ("reimage", "unknown"),
}


class VolumeManager(VolumeRPC):
    """One backend at work. A process may hold several; none of them waits for another."""

    def __init__(self, database, conf, backend, owner, backup, images, exports, more):
        """`images` makes volumes of images (see volume.images); `exports` are the backend's (see volume.exports).

        `more` are handlers of further jobs (see worker.Worker).
        """
        self.db, self.conf, self.backend, self.driver, self.target = (
            database, conf, backend, backend.driver, backend.target)
        self.backup, self.images, self.exports, self.servers = backup, images, exports, Servers(database, conf)
        handlers = {
            ("volume", "create"): self.create, ("volume", "delete"): self.delete,
            ("volume", "force_delete"): self.delete, ("volume", "extend"): self.extend,
            ("volume", "revert"): self.revert, ("snapshot", "create"): self.create_snapshot,
            ("snapshot", "delete"): self.delete_snapshot, ("snapshot", "force_delete"): self.delete_snapshot,
            **self.servers.handlers, **more}
        self.worker = worker.Worker(database, conf, "volume", backend.name, owner, handlers,
                                    conf.volume_max_operations, lambda job: MESSAGES.get((job.kind, job.action), ("create", "unknown")))
        self._flows = None

    def run_job(self, ctx, job_id):
        self.worker.wake(job_id)

    # -- volumes

    def create(self, work):
        # taskflow is imported by the first create, not at start.
        from cinder_lite.volume.flows import create

        with self.db.read() as tx:
            row = volumes.find(tx, work.job.resource_id)
            work.lose(counted=False)
            work.when_failed(lambda tx: api.not_made(tx, row))
            work.begin()
            recipe = self._recipe(tx, create, work, row)
            backup = backups.find(tx, row.backup_id) if row.backup_id else None
        volume = as_volume(row)
        if self._flows is None:
            self._flows = create.made(self.driver)
        try:
            if recipe.kind == "image":
                facts = self.images.make(self._flows, work, row, volume, recipe.source)
            else:
                facts = create.run(self._flows, volume, recipe, work.progress)
        except drivers.DriverError as error:
            if self._try_elsewhere(work, row, error):
                return
            raise
        made = {"facts": facts or {}, **self.backend.ownership}
        work.keep(launched_at=db.now(), **made)
        if backup is not None:
            work.pass_on("backup", backup.host)
            work.when_done(lambda tx: VOLUME.write(tx, row.id, **made))
            work.afterwards(lambda: self.backup.on(backup.host).run_job(work.ctx, job_id=work.job.id))

    def _recipe(self, tx, create, work, row):
        if row.source_volid:
            source = volumes.find(tx, row.source_volid)
            if source is None:
                raise worker.Refused(f"its source, volume {row.source_volid}, is gone")
            return create.Recipe("volume", as_volume(source))
        if row.snapshot_id:
            source = snapshots.find(tx, row.snapshot_id)
            if source is None:
                raise worker.Refused(f"its source, snapshot {row.snapshot_id}, is gone")
            return create.Recipe("snapshot", as_snapshot(source, volumes.find(tx, source.volume_id)))
        image_id = work.args.get("image_id") or row.image_metadata.get("image_id")
        if image_id and not row.backup_id:
            return create.Recipe("image", image_id)
        return create.Recipe("blank")

    def _try_elsewhere(self, work, row, error):
        """Pass the job back to the scheduler, to try another backend; False when enough were tried."""
        failures = [*work.args.get("failures", ()), {"host": row.host, "reason": str(error)}]
        if row.source_volid or row.snapshot_id or len(failures) >= self.conf.scheduler_max_attempts:
            return False
        LOG.warning("volume %s could not be made on %s, another backend is tried: %s", row.id, row.host, error)
        work.args |= {"tried": [*work.args.get("tried", ()), self.backend.name], "failures": failures}
        work.pass_on("scheduler", None)
        work.when_done(lambda tx: pools.give_back(tx, row.host, row.size, 1))
        work.when_done(lambda tx: VOLUME.write(tx, row.id, host=None))
        return True

    def delete(self, work):
        with self.db.read() as tx:
            row = volumes.find(tx, work.job.resource_id)
            going = snapshots.of_volume(tx, work.job.resource_id) if work.args.get("cascade") else []
        if row is None:
            return
        volume = as_volume(row)
        work.when_failed(lambda tx: [SNAPSHOT.settle(tx, one.id, "cascade", False) for one in going])
        # No host is connected while it is deleting, and none again should that fail.
        work.when_failed(lambda tx: connections.end_of_volume(tx, row.id))
        work.begin()
        self.backend.clear(volume)
        for snapshot in going:
            self.backend.call(self.driver.delete_snapshot, as_snapshot(snapshot, row))
        self.backend.call(self.driver.delete, volume)
        for snapshot in going:
            work.when_done(lambda tx, snapshot=snapshot: self._forget_snapshot(tx, snapshot, row))
        work.when_done(lambda tx: api.forget(tx, row))

    def _forget_snapshot(self, tx, snapshot, volume):
        if SNAPSHOT.settle(tx, snapshot.id, "cascade", True):
            labels.remove(tx, snapshot.id)
            if snapshot.counted:
                quotas.release(tx, quotas.snapshot_share(self.conf, snapshot))

    def extend(self, work):
        new_size = work.args["new_size"]
        with self.db.read() as tx:
            row = volumes.find(tx, work.job.resource_id)
        more = new_size - row.size
        volume = as_volume(row)
        work.when_failed(lambda tx: quotas.release(tx, quotas.Change(
            row.project_id, {"gigabytes": more}, row.volume_type_id)))
        work.when_failed(lambda tx: pools.give_back(tx, row.host, more, 0))
        if row.attach_status == states.ATTACHED:
            self.servers.promise(work, compute.EXTENDED)
        work.begin()
        self.backend.call(self.driver.extend, volume, new_size)
        self.exports.resize(row)
        work.keep(size=new_size)

    def revert(self, work):
        with self.db.read() as tx:
            row = volumes.find(tx, work.job.resource_id)
            snapshot = snapshots.find(tx, work.args["snapshot_id"])
        for settled in (work.when_done, work.when_failed):
            settled(lambda tx: SNAPSHOT.settle(tx, work.args["snapshot_id"], "revert", True))
        work.begin()
        if not isinstance(self.driver, drivers.Revertable):
            raise worker.Refused(f"the driver of {self.backend.name} cannot revert volumes",
                                 public="its storage cannot revert volumes")
        self.exports.settle(row.id)
        self.backend.call(self.driver.revert, as_volume(row), as_snapshot(snapshot, row))

    # -- snapshots

    def create_snapshot(self, work):
        snapshot = self._snapshot(work)
        work.lose(counted=False)
        with self.db.read() as tx:
            row = snapshots.find(tx, work.job.resource_id)
        work.when_failed(lambda tx: quotas.release(tx, quotas.snapshot_share(self.conf, row)))
        work.begin()
        try:
            facts = self.backend.call(self.driver.create_snapshot, snapshot)
        except drivers.DriverError:
            with worker.quiet(f"removing what was made of snapshot {snapshot.id}"):
                self.backend.call(self.driver.delete_snapshot, snapshot)
            raise
        work.keep(facts=facts or {}, progress="100%")

    def delete_snapshot(self, work):
        work.begin()
        self.backend.call(self.driver.delete_snapshot, self._snapshot(work))
        with self.db.read() as tx:
            row = snapshots.find(tx, work.job.resource_id)
        work.when_done(lambda tx: labels.remove(tx, row.id))
        if row.counted:
            work.when_done(lambda tx: quotas.release(tx, quotas.snapshot_share(self.conf, row)))

    def _snapshot(self, work):
        with self.db.read() as tx:
            row = snapshots.find(tx, work.job.resource_id)
            return as_snapshot(row, volumes.find(tx, row.volume_id))

    # -- connections

    def connect(self, ctx, volume_id, attachment_id, connector, connection_id=None, generation=None):
        return self.exports.connect(volume_id, attachment_id, connector, connection_id, generation)

    def disconnect(self, ctx, volume_id, attachment_id, connector, marked=False):
        self.exports.disconnect(volume_id, attachment_id, connector, marked)

    # -- content for processes of this host

    def open_local(self, ctx, kind, id, host, copy_id=None):
        if host != self.conf.host and isinstance(self.driver, drivers.HasPath):
            raise errors.OnAnotherHost(backend=self.backend.name, host=self.conf.host, asking=host)
        if not isinstance(self.driver, drivers.HasPath | drivers.Connects):
            raise errors.BackendFailed(reason=f"the driver of {self.backend.name} keeps no bytes")
        with self.db.read() as tx:
            snapshot = snapshots.find(tx, id) if kind == "snapshot" else None
            row = volumes.find(tx, snapshot.volume_id if snapshot is not None else id)
        if row is None:
            raise errors.VolumeNotFound(id=id)
        # Who is not to have the volume any more does not write to it while it is read or written here.
        self.exports.settle(row.id)
        try:
            return self._open(kind, row, snapshot, copy_id)
        except drivers.DriverError as error:
            raise errors.BackendFailed(reason=str(error), public=error.public) from error

    def _open(self, kind, row, snapshot, copy_id):
        if kind == "snapshot":
            return self.backend.snapshot_content(as_snapshot(snapshot, row))
        volume = as_volume(row)
        if kind == "frozen":
            frozen = drivers.Snapshot(id=copy_id, size=row.size, volume=volume)
            self.backend.call(self.driver.create_snapshot, frozen)
            return self.backend.snapshot_content(frozen)
        return self.backend.content(volume)

    def close_local(self, ctx, volume_id, copy_id):
        with self.db.read() as tx:
            row = volumes.find(tx, volume_id)
        if row is not None:
            frozen = drivers.Snapshot(id=copy_id, size=row.size, volume=as_volume(row))
            try:
                self.backend.call(self.driver.delete_snapshot, frozen)
            except drivers.DriverError as error:
                raise errors.BackendFailed(reason=str(error), public=error.public) from error

    def check_reference(self, ctx, reference):
        self._check_manages()
        try:
            self.driver.name_in(reference)
        except drivers.DriverError as error:
            raise errors.InvalidInput(reason=f"The reference is not one of this backend: {error}.") from error

    def _check_manages(self):
        if not isinstance(self.driver, drivers.Manages):
            raise errors.InvalidInput(reason=f"The driver of {self.backend.name} cannot take over what others made.",
                                      public="Invalid input received: The driver cannot take over what others made.")

    def manageable(self, ctx, kind):
        self._check_manages()
        look = self.driver.foreign_volumes if kind == "volume" else self.driver.foreign_snapshots
        try:
            return [dataclasses.asdict(found) for found in self.backend.call(look)]
        except drivers.DriverError as error:
            raise errors.BackendFailed(reason=str(error), public=error.public) from error

    def capabilities(self, ctx):
        name, values = self.backend.measure()[0]
        known = values["capabilities"]
        return {
            "namespace": f"OS::Storage::Capabilities::{self.backend.name}", "vendor_name": known["vendor_name"],
            "volume_backend_name": known["volume_backend_name"], "pool_name": name.partition("#")[2],
            "driver_version": known["driver_version"], "storage_protocol": known["storage_protocol"],
            "display_name": known["volume_backend_name"], "description": type(self.driver).__doc__.splitlines()[0],
            "visibility": None, "replication_targets": [],
            "properties": {
                "thin_provisioning": {"title": "Thin Provisioning", "type": "boolean",
                                      "description": "Whether volumes take room only for what was written."}}}


def as_volume(row):
    """A volume's row as its driver sees it."""
    return drivers.Volume(id=row.id, size=row.size, facts=row.facts, extra_specs=row.type_extra_specs or {},
                          name_id=row.name_id, qos=limits(row.type_qos_consumer, row.type_qos_specs))


def limits(consumer, specs):
    """What the backend applies of a QoS spec: {key: value}."""
    return specs if consumer in ("back-end", "both") else {}


def as_snapshot(row, volume):
    """A snapshot's row, and that of its volume."""
    return drivers.Snapshot(id=row.id, size=row.size, volume=as_volume(volume), facts=row.facts)
