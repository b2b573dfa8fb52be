"""Runs the jobs that create and delete the snapshots of a backend."""

from cinder_lite import db
from cinder_lite.db import snapshots
from cinder_lite.jobs import outcomes
from cinder_lite.jobs.work import Work
from cinder_lite.volume import driver_calls, driver_views
from cinder_lite.volume.backends import Backend
from cinder_lite.volume.drivers import base as drivers


class SnapshotJobs:
    """The jobs of one backend on snapshots."""

    def __init__(self, database: db.Database, backend: Backend) -> None:
        self.db, self.backend = database, backend

    def create(self, work: Work) -> None:
        snapshot = self._snapshot(work)
        work.begin()
        try:
            facts = driver_calls.fenced(work, self.backend.driver.create_snapshot, snapshot)
        except drivers.DriverError:
            with outcomes.quiet(f"removing the incomplete snapshot {snapshot.id}"):
                self.backend.call(self.backend.driver.delete_snapshot, snapshot)
            raise
        work.keep(facts=facts or {}, progress="100%")

    def delete(self, work: Work) -> None:
        with self.db.read() as tx:
            work.after_others(tx)
        work.begin()
        self.backend.call(self.backend.driver.delete_snapshot, self._snapshot(work))

    def _snapshot(self, work):
        with self.db.read() as tx:
            row, volume = snapshots.with_volume(tx, work.job.resource_id)
        row = outcomes.found(row)
        return driver_views.as_snapshot(row, outcomes.found(volume, f"its volume, {row.volume_id},"))
