"""Runs the jobs of groups: one job creates, snapshots or deletes all volumes of a group."""

from oslo_config import cfg

from cinder_lite import db
from cinder_lite.db import groups, snapshots, volumes
from cinder_lite.jobs import outcomes
from cinder_lite.jobs.work import Work
from cinder_lite.volume import driver_calls, driver_views
from cinder_lite.volume.backends import Backend
from cinder_lite.volume.drivers import base as drivers


class GroupJobs:
    """The group jobs of one backend. Calls of a driver can be repeated, so an interrupted job starts again."""

    def __init__(self, database: db.Database, conf: cfg.ConfigOpts, backend: Backend) -> None:
        self.db, self.conf, self.backend = database, conf, backend

    def create_from(self, work: Work) -> None:
        with self.db.read() as tx:
            members = groups.volumes_of(tx, work.job.resource_id)
            sources = {one.id: self._source(tx, one) for one in members}
        work.begin()
        facts = {}
        for number, one in enumerate(members):
            copy, source = sources[one.id]
            if source is None:
                raise outcomes.Refused(f"the source of volume {one.id} has been deleted")
            facts[one.id] = driver_calls.fenced(work, copy, driver_views.as_volume(one), source, _quiet) or {}
            work.step(number + 1, len(members))
        now = db.now()
        for id, found in facts.items():
            work.keep_member(id, facts=found, launched_at=now, **self.backend.ownership)

    def _source(self, tx, row):
        """(the driver's method, the drivers.Volume or drivers.Snapshot to copy; None if it was deleted)."""
        if row.snapshot_id:
            source = snapshots.find(tx, row.snapshot_id)
            volume = source and volumes.find(tx, source.volume_id)
            return self.backend.driver.from_snapshot, volume and driver_views.as_snapshot(source, volume)
        source = volumes.find(tx, row.source_volid)
        return self.backend.driver.clone, source and driver_views.as_volume(source)

    def delete(self, work: Work) -> None:
        with self.db.read() as tx:
            members = groups.volumes_of(tx, work.job.resource_id)
        work.begin()
        for number, one in enumerate(members):
            if one.host is not None:
                self.backend.remove_exports(driver_views.as_volume(one))
                self.backend.call(self.backend.driver.delete, driver_views.as_volume(one))
            work.keep_member(one.id)
            work.step(number + 1, len(members))

    def create_snapshot(self, work: Work) -> None:
        created = self._snapshots(work)
        work.begin()
        facts = {}
        try:
            for number, (row, snapshot) in enumerate(created):
                facts[row.id] = driver_calls.fenced(work, self.backend.driver.create_snapshot, snapshot) or {}
                work.step(number + 1, len(created))
        except drivers.DriverError:
            for row, snapshot in created:
                with outcomes.quiet(f"removing the incomplete snapshot {row.id}"):
                    self.backend.call(self.backend.driver.delete_snapshot, snapshot)
            raise
        for id, found in facts.items():
            work.keep_member(id, facts=found, progress="100%")

    def delete_snapshot(self, work: Work) -> None:
        deleted = self._snapshots(work)
        work.begin()
        for number, (row, snapshot) in enumerate(deleted):
            self.backend.call(self.backend.driver.delete_snapshot, snapshot)
            work.keep_member(row.id)
            work.step(number + 1, len(deleted))

    def _snapshots(self, work):
        """The snapshots of the group snapshot: [(row, drivers.Snapshot)]."""
        with self.db.read() as tx:
            return [(row, driver_views.as_snapshot(row, self._volume_of(tx, row)))
                    for row in groups.snapshots_of(tx, work.job.resource_id)]

    @staticmethod
    def _volume_of(tx, row):
        return outcomes.found(volumes.find(tx, row.volume_id), f"volume {row.volume_id} of the group")


def _quiet(_done, _whole):
    """Ignore the progress within one volume: the job counts volumes."""
