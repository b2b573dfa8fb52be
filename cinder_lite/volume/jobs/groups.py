"""The work on groups: one job makes, keeps or removes what all their volumes hold."""

from cinder_lite import db
from cinder_lite.db import groups, quotas, snapshots, volumes
from cinder_lite.jobs import holds, worker
from cinder_lite.jobs.lifecycle import SNAPSHOT, VOLUME
from cinder_lite.volume.drivers import base as drivers
from cinder_lite.volume.jobs.volumes import as_snapshot, as_volume


class Grouping:
    """What a backend does for that. Every call of a driver may be repeated, so a job that was cut off begins anew."""

    def __init__(self, database, conf, backend):
        self.db, self.conf, self.backend = database, conf, backend
        self.handlers = {
            ("group", "create_from"): self.create_from, ("group", "delete"): self.delete,
            ("group_snapshot", "create"): self.create_snapshot, ("group_snapshot", "delete"): self.delete_snapshot}

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
            facts[one.id] = self.backend.call(copy, as_volume(one), source, _quiet) or {}
            work.step(number + 1, len(members))
        now = db.now()
        work.when_done(lambda tx: [VOLUME.settle(tx, id, "group_create", True, facts=found, launched_at=now, **self.backend.ownership)
                                   for id, found in facts.items()])

    def _source(self, tx, row):
        """(the driver's method, what it copies or None)."""
        if row.snapshot_id:
            source = snapshots.find(tx, row.snapshot_id)
            volume = source and volumes.find(tx, source.volume_id)
            return self.backend.driver.from_snapshot, volume and as_snapshot(source, volume)
        source = volumes.find(tx, row.source_volid)
        return self.backend.driver.clone, source and as_volume(source)

    def delete(self, work):
        with self.db.read() as tx:
            members = groups.volumes_of(tx, work.job.resource_id)
        work.begin()
        for number, one in enumerate(members):
            if one.host is not None:
                self.backend.remove_exports(as_volume(one))
                self.backend.call(self.backend.driver.delete, as_volume(one))
            work.step(number + 1, len(members))

        ids = {one.id for one in members}

        def gone(tx, group):
            left = [one for one in groups.volumes_of(tx, group.id) if one.id in ids]
            quotas.release(tx, quotas.Change(group.project_id, {"groups": 1}))
            holds.forget(tx, *[one for one in left if VOLUME.settle(tx, one.id, "group_delete", True)])

        work.at_end(gone)

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
        work.when_done(lambda tx: [SNAPSHOT.settle(tx, id, "group_create", True, facts=found, progress="100%")
                                   for id, found in facts.items()])

    def delete_snapshot(self, work):
        going = self._snapshots(work)
        work.begin()
        for number, (_, snapshot) in enumerate(going):
            self.backend.call(self.backend.driver.delete_snapshot, snapshot)
            work.step(number + 1, len(going))

        ids = {row.id for row, _ in going}

        def gone(tx, kept):
            left = [one for one in groups.snapshots_of(tx, kept.id, locked=True) if one.id in ids]
            holds.forget_snapshots(tx, self.conf, *[
                one for one in left if SNAPSHOT.settle(tx, one.id, "group_delete", True)])

        work.at_end(gone)

    def _snapshots(self, work):
        """[(row, the snapshot as its driver sees it)]"""
        with self.db.read() as tx:
            return [(row, as_snapshot(row, worker.found(volumes.find(tx, row.volume_id), f"volume {row.volume_id} of the group")))
                    for row in groups.snapshots_of(tx, work.job.resource_id)]


def _quiet(_done, _whole):
    """Progress within one volume: the job's is told by volumes."""
