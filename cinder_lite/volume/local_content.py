"""Locates the bytes of volumes and snapshots for processes of this host."""

from oslo_config import cfg

from cinder_lite import db, errors, states
from cinder_lite.db import backups, snapshots, volumes
from cinder_lite.volume import driver_views
from cinder_lite.volume.backends import Backend
from cinder_lite.volume.drivers import base as drivers
from cinder_lite.volume.exports import Exports


class LocalContent:
    """The content of a backend's volumes and snapshots."""

    def __init__(self, database: db.Database, conf: cfg.ConfigOpts, backend: Backend, exports: Exports) -> None:
        self.db, self.conf, self.backend, self.exports = database, conf, backend, exports

    def open(self, kind: str, id: str, host: str, copy_id: str | None) -> dict:
        """See VolumeRPC.open_local."""
        if host != self.conf.host and self.backend.same_host:
            raise errors.OnAnotherHost(backend=self.backend.name, host=self.conf.host, asking=host)
        if not isinstance(self.backend.driver, drivers.HasPath | drivers.Connects):
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
            self.backend.call(self.backend.driver.create_snapshot, frozen)
            return self.backend.snapshot_content(frozen)
        return self.backend.content(volume)

    def close(self, volume_id: str, copy_id: str) -> None:
        """See VolumeRPC.close_local."""
        with self.db.read() as tx:
            row = volumes.find(tx, volume_id)
        if row is not None:
            frozen = drivers.Snapshot(id=copy_id, size=row.size, volume=driver_views.as_volume(row))
            try:
                self.backend.call(self.backend.driver.delete_snapshot, frozen)
            except drivers.DriverError as error:
                raise errors.BackendFailed(reason=str(error), public=error.public) from error
