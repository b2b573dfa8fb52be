"""The work on groups: one job makes, keeps or removes what all their volumes hold."""

from cinder_lite import db
from cinder_lite.db import groups, snapshots, volumes
from cinder_lite.jobs import worker
from cinder_lite.volume.drivers import base as drivers


class Grouping:
    """What a backend does for that. Every call of a driver may be repeated, so a job that was cut off begins anew."""

    def __init__(self, database, conf, backend):
        self.db, self.conf, self.backend = database, conf, backend

    def create_from(self, work):
        with self.db.read() as tx:
            members = groups.volumes_of(tx, work.job.resource_id)
            sources = {one.id: self._source(tx, one) for one in members}
        work.begin()
        facts = {}
        for number, one in enumerate(members):
            copy, source = sources[one.id]
            if source is None:
                raise worker.Refused(f"the source of volume {one.id} is gone")
            facts[one.id] = self.backend.call(copy, drivers.as_volume(one), source, _quiet) or {}
            work.step(number + 1, len(members))
        now = db.now()
        for id, found in facts.items():
            work.keep_member(id, facts=found, launched_at=now, **self.backend.ownership)

    def _source(self, tx, row):
        """(the driver's method, what it copies or None)."""
        if row.snapshot_id:
            source = snapshots.find(tx, row.snapshot_id)
            volume = source and volumes.find(tx, source.volume_id)
            return self.backend.driver.from_snapshot, volume and drivers.as_snapshot(source, volume)
        source = volumes.find(tx, row.source_volid)
        return self.backend.driver.clone, source and drivers.as_volume(source)

    def delete(self, work):
        with self.db.read() as tx:
            members = groups.volumes_of(tx, work.job.resource_id)
        work.begin()
        for number, one in enumerate(members):
            if one.host is not None:
                self.backend.remove_exports(drivers.as_volume(one))
                self.backend.call(self.backend.driver.delete, drivers.as_volume(one))
            work.keep_member(one.id)
            work.step(number + 1, len(members))

    def create_snapshot(self, work):
        made = self._snapshots(work)
        work.begin()
        facts = {}
        try:
            for number, (row, snapshot) in enumerate(made):
                facts[row.id] = self.backend.call(self.backend.driver.create_snapshot, snapshot) or {}
                work.step(number + 1, len(made))
        except drivers.DriverError:
            for row, snapshot in made:
                with worker.quiet(f"removing what was made of snapshot {row.id}"):
                    self.backend.call(self.backend.driver.delete_snapshot, snapshot)
            raise
        for id, found in facts.items():
            work.keep_member(id, facts=found, progress="100%")

    def delete_snapshot(self, work):
        going = self._snapshots(work)
        work.begin()
        for number, (row, snapshot) in enumerate(going):
            self.backend.call(self.backend.driver.delete_snapshot, snapshot)
            work.keep_member(row.id)
            work.step(number + 1, len(going))

    def _snapshots(self, work):
        """[(row, the snapshot as its driver sees it)]"""
        with self.db.read() as tx:
            return [(row, drivers.as_snapshot(row, worker.found(volumes.find(tx, row.volume_id), f"volume {row.volume_id} of the group")))
                    for row in groups.snapshots_of(tx, work.job.resource_id)]


def _quiet(_done, _whole):
    """Progress within one volume: the job's is told by volumes."""
