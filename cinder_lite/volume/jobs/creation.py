"""Runs the jobs that create volumes on a backend."""

from typing import Any

from oslo_config import cfg

from cinder_lite import db
from cinder_lite.db import backups, snapshots, volumes
from cinder_lite.jobs import outcomes
from cinder_lite.jobs.lifecycle import VOLUME
from cinder_lite.jobs.work import Work
from cinder_lite.volume import driver_views
from cinder_lite.volume.backends import Backend
from cinder_lite.volume.drivers import base as drivers
from cinder_lite.volume.jobs import elsewhere
from cinder_lite.volume.jobs.images import ImageJobs


class CreationJobs:
    """The jobs of one backend that create volumes: empty ones, and from a volume, a snapshot, an image or a backup."""

    def __init__(self, database: db.Database, conf: cfg.ConfigOpts, backend: Backend, backup: Any,
                 images: ImageJobs) -> None:
        """`backup` is the client of the backup service."""
        self.db, self.conf, self.backend, self.backup, self.images = database, conf, backend, backup, images
        self._flows: Any = None

    def create(self, work: Work) -> None:
        # taskflow is imported by the first create, not at start.
        from cinder_lite.volume.flows import create

        with self.db.read() as tx:
            row = work.volume or outcomes.found(volumes.find(tx, work.job.resource_id))
            work.begin()
            recipe = self._recipe(tx, create, work, row)
            backup = self._backup(tx, row) if row.backup_id else None
        volume = driver_views.as_volume(row)
        self._flows = self._flows or create.build_flows(self.backend.driver)
        try:
            if recipe.kind == "image":
                facts = self.images.create(self._flows, work, row, volume, recipe.source)
            else:
                facts = create.run(self._flows, volume, recipe, work)
        except drivers.DriverError as error:
            if elsewhere.try_another(self.conf, self.backend, work, row, error):
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
        return outcomes.found(backups.find(tx, row.backup_id), f"its source, backup {row.backup_id},")

    def _recipe(self, tx, create, work, row):
        if row.source_volid:
            source = outcomes.found(volumes.find(tx, row.source_volid), f"its source, volume {row.source_volid},")
            return create.Recipe("volume", driver_views.as_volume(source))
        if row.snapshot_id:
            source, volume = snapshots.with_volume(tx, row.snapshot_id)
            source = outcomes.found(source, f"its source, snapshot {row.snapshot_id},")
            return create.Recipe("snapshot", driver_views.as_snapshot(source, outcomes.found(
                volume, f"volume {source.volume_id}, the volume of its source,")))
        image_id = work.args.get("image_id") or row.image_metadata.get("image_id")
        if image_id and not row.backup_id:
            return create.Recipe("image", image_id)
        return create.Recipe("blank")
