"""Runs the scheduler service."""

from cinder_lite.db import job_changes, messages
from cinder_lite.scheduler.manager import SchedulerManager
from cinder_lite.scheduler.rpcapi import SchedulerRPC
from cinder_lite.service import process
from cinder_lite.service.registered import RegisteredService

BINARY = "cinder-scheduler"
#: Seconds between purges of old jobs and messages.
PURGE_INTERVAL = 3600


class SchedulerService(RegisteredService):
    """Places jobs, and purges old rows."""

    def __init__(self, shared: process.Process) -> None:
        super().__init__(shared, BINARY, shared.conf.host, shared.conf.storage_availability_zone)
        self.worker = self.manager = shared.metered(SchedulerManager(shared.db, self.conf, shared.volume))
        self.manager.events = shared.events
        self._purging = self.every(PURGE_INTERVAL, self.purge, "old rows could not be deleted")

    def start(self) -> None:
        self.register()
        self.serve(SchedulerRPC, self.manager)
        self._purging.start()

    def purge(self) -> None:
        with self.process.db.write() as tx:
            job_changes.purge(tx, self.conf.job_retention)
            messages.purge(tx)

    def status(self) -> str:
        return f"scheduler: {self.manager.pool.running} decisions in progress"
