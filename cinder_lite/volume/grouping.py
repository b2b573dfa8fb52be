"""The work on groups: one job makes, keeps or removes what all their volumes hold."""

from cinder_lite import db, worker
from cinder_lite.db import connections, groups, labels, quotas, snapshots, volumes
from cinder_lite.lifecycle import SNAPSHOT, VOLUME
from cinder_lite.volume import api
from cinder_lite.volume.drivers import base as drivers
from cinder_lite.volume.manager import as_snapshot, as_volume


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
        work.when_failed(lambda tx: self._not_made(tx, members))
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
            found = snapshots.find(tx, row.snapshot_id)
            return self.backend.driver.from_snapshot, found and as_snapshot(found, volumes.find(tx, found.volume_id))
        found = volumes.find(tx, row.source_volid)
        return self.backend.driver.clone, found and as_volume(found)

    @staticmethod
    def _not_made(tx, members):
        api.uncount(tx, *[one for one in members if VOLUME.settle(tx, one.id, "group_create", False, counted=False)])

    def delete(self, work):
        with self.db.read() as tx:
            group = groups.find(tx, work.job.resource_id)
            members = groups.volumes_of(tx, work.job.resource_id)
        work.when_failed(lambda tx: [VOLUME.settle(tx, one.id, "group_delete", False) for one in members])
        work.when_failed(lambda tx: [connections.end_of_volume(tx, one.id) for one in members])
        work.begin()
        for number, one in enumerate(members):
            if one.host is not None:
                self.backend.clear(as_volume(one))
                self.backend.call(self.backend.driver.delete, as_volume(one))
            work.step(number + 1, len(members))

        def gone(tx):
            quotas.release(tx, quotas.Change(group.project_id, {"groups": 1}))
            api.forget(tx, *[one for one in members if VOLUME.settle(tx, one.id, "group_delete", True)])

        work.when_done(gone)

    def create_snapshot(self, work):
        made = self._snapshots(work)
        work.when_failed(lambda tx: self._not_kept(tx, made))
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

    def _not_kept(self, tx, made):
        for row, _ in made:
            if SNAPSHOT.settle(tx, row.id, "group_create", False, counted=False):
                quotas.release(tx, quotas.snapshot_share(self.conf, row))

    def delete_snapshot(self, work):
        going = self._snapshots(work)
        work.when_failed(lambda tx: [SNAPSHOT.settle(tx, row.id, "group_delete", False) for row, _ in going])
        work.begin()
        for number, (_, snapshot) in enumerate(going):
            self.backend.call(self.backend.driver.delete_snapshot, snapshot)
            work.step(number + 1, len(going))

        def gone(tx):
            for row, _ in going:
                if SNAPSHOT.settle(tx, row.id, "group_delete", True):
                    labels.remove(tx, row.id)
                    if row.counted:
                        quotas.release(tx, quotas.snapshot_share(self.conf, row))

        work.when_done(gone)

    def _snapshots(self, work):
        """[(row, the snapshot as its driver sees it)]"""
        with self.db.read() as tx:
            return [(row, as_snapshot(row, volumes.find(tx, row.volume_id)))
                    for row in groups.snapshots_of(tx, work.job.resource_id)]


def _quiet(_done, _whole):
    """Progress within one volume: the job's is told by volumes."""
