"""Lists existing volumes and snapshots of a backend, and runs the jobs that manage and unmanage them."""

import dataclasses

from oslo_config import cfg

from cinder_lite import db, errors
from cinder_lite.db import ownership, quotas, snapshots, volumes
from cinder_lite.jobs import holds, outcomes
from cinder_lite.jobs.lifecycle import SNAPSHOT, VOLUME
from cinder_lite.jobs.work import Work
from cinder_lite.volume import driver_calls, driver_views
from cinder_lite.volume.backends import Backend
from cinder_lite.volume.drivers import base as drivers


class ManageJobs:
    """The jobs of one backend that manage and unmanage its volumes and snapshots."""

    def __init__(self, database: db.Database, conf: cfg.ConfigOpts, backend: Backend) -> None:
        self.db, self.conf, self.backend = database, conf, backend

    def manage(self, work: Work) -> None:
        with self.db.read() as tx:
            row = outcomes.found(volumes.find(tx, work.job.resource_id))
        work.begin()
        # An interrupted attempt may have renamed it already.
        if not row.size:
            self._claim(work, VOLUME, row, self._inspect(work.args["reference"]))
        with self.db.read() as tx:
            volume = driver_views.as_volume(outcomes.found(volumes.find(tx, row.id)))
        facts = driver_calls.fenced(work, self.backend.driver.manage, volume, work.args["reference"])
        work.keep(facts=facts or {}, launched_at=db.now(), **self.backend.ownership)

    def _inspect(self, reference, volume=None):
        """The size in whole GiB of the object that the reference names. Raises Refused if it cannot be managed."""
        if not isinstance(self.backend.driver, drivers.ManagesExisting):
            raise outcomes.Refused(f"the driver of {self.backend.name} cannot manage existing volumes or snapshots",
                                   public="its storage cannot manage existing volumes or snapshots")
        with self.db.read() as tx:
            name = ownership.name_of(reference)
            owner = ownership.owners(tx, [name]).get(name)
        if owner is not None:
            raise outcomes.Refused(f"it belongs to {owner} already")
        manageable = self.backend.call(self.backend.driver.inspect, reference, volume)
        if manageable.reason is not None:
            raise outcomes.Refused(manageable.reason)
        return -(-manageable.size // drivers.GIB)

    @db.retried
    def _claim(self, work, engine, row, size):
        """Record the size of a volume or snapshot, of which only the number was counted, and claim its quota."""
        with self.db.read() as tx:
            allowance = quotas.allowance(tx, self.conf, row.project_id)
        if engine is VOLUME:
            quotas.check_volume_size(size, allowance)
        with self.db.write() as tx:
            work.still_ours(tx)
            holds.count_size(tx, self.conf, engine.kind, row, size, allowance)
            engine.write(tx, row.id, size=size)

    def unmanage(self, work: Work) -> None:
        with self.db.read() as tx:
            row = outcomes.found(volumes.find(tx, work.job.resource_id))
        work.begin()
        self.backend.remove_exports(driver_views.as_volume(row))

    def manage_snapshot(self, work: Work) -> None:
        with self.db.read() as tx:
            row = outcomes.found(snapshots.find(tx, work.job.resource_id))
            volume = outcomes.found(volumes.find(tx, row.volume_id), f"its volume, {row.volume_id},")
        work.begin()
        if not row.size:
            self._claim(work, SNAPSHOT, row, self._inspect(work.args["reference"], driver_views.as_volume(volume)))
        with self.db.read() as tx:
            snapshot = driver_views.as_snapshot(snapshots.find(tx, row.id), volume)
        facts = driver_calls.fenced(work, self.backend.driver.manage_snapshot, snapshot, work.args["reference"])
        work.keep(facts=facts or {}, progress="100%")

    def unmanage_snapshot(self, work: Work) -> None:
        work.begin()

    def check_reference(self, reference: dict) -> None:
        """See VolumeRPC.check_reference."""
        self._check_manages()
        try:
            self.backend.driver.name_of(reference)
        except drivers.DriverError as error:
            raise errors.InvalidInput(reason=f"The reference is not one of this backend: {error}.") from error

    def _check_manages(self):
        if not isinstance(self.backend.driver, drivers.ManagesExisting):
            raise errors.InvalidInput(reason=(
                f"The driver of {self.backend.name} cannot manage existing volumes or snapshots."),
                public="Invalid input received: The driver cannot manage existing volumes or snapshots.")

    def manageable(self, kind: str) -> list[dict]:
        """See VolumeRPC.manageable."""
        self._check_manages()
        driver = self.backend.driver
        list_existing = driver.existing_volumes if kind == "volume" else driver.existing_snapshots
        try:
            return [dataclasses.asdict(found) for found in self.backend.call(list_existing)]
        except drivers.DriverError as error:
            raise errors.BackendFailed(reason=str(error), public=error.public) from error
