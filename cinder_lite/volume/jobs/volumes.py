"""Runs the jobs that delete, extend and revert the volumes of a backend."""

from typing import Any

from cinder_lite import db, states
from cinder_lite.db import job_queries, snapshots, volumes
from cinder_lite.jobs import outcomes
from cinder_lite.jobs.work import Work
from cinder_lite.nova import client
from cinder_lite.nova.events import ServerEvents
from cinder_lite.volume import driver_calls, driver_views
from cinder_lite.volume.backends import Backend
from cinder_lite.volume.drivers import base as drivers
from cinder_lite.volume.exports import Exports


class VolumeJobs:
    """The jobs of one backend on volumes that it has."""

    def __init__(self, database: db.Database, backend: Backend, exports: Exports, servers: ServerEvents) -> None:
        self.db, self.backend, self.exports, self.servers = database, backend, exports, servers
        self.driver: Any = backend.driver

    def delete(self, work: Work) -> None:
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

    def extend(self, work: Work) -> None:
        new_size = work.args["new_size"]
        with self.db.read() as tx:
            row = work.volume or outcomes.found(volumes.find(tx, work.job.resource_id))
        volume = driver_views.as_volume(row)
        if row.attach_status == states.ATTACHED:
            self.servers.send_when_done(work, client.EXTENDED)
        work.begin()
        driver_calls.fenced(work, self.driver.extend, volume, new_size)
        self.exports.resize(row)
        work.keep(size=new_size)

    def revert(self, work: Work) -> None:
        with self.db.read() as tx:
            row = work.volume or outcomes.found(volumes.find(tx, work.job.resource_id))
            snapshot_id = work.args["snapshot_id"]
            snapshot = outcomes.found(snapshots.find(tx, snapshot_id), f"snapshot {snapshot_id}")
        work.keep_member(snapshot.id)
        work.begin()
        if not isinstance(self.driver, drivers.Revertable):
            raise outcomes.Refused(f"the driver of {self.backend.name} cannot revert volumes",
                                   public="its storage cannot revert volumes")
        self.exports.reconcile(row.id)
        with work.fence:
            self.backend.call(self.driver.revert, driver_views.as_volume(row), driver_views.as_snapshot(snapshot, row))
