"""Runs the scheduler service."""

from cinder_lite.concurrency.periodic import Periodic
from cinder_lite.db import job_changes, messages
from cinder_lite.host import host_lock
from cinder_lite.rpc.server import Server
from cinder_lite.scheduler.manager import LOG, SchedulerManager
from cinder_lite.scheduler.rpcapi import SchedulerRPC
from cinder_lite.service import heartbeat, process

BINARY = "cinder-scheduler"
#: Seconds between purges of old jobs and messages.
PURGE_INTERVAL = 3600


class SchedulerService:
    """Places jobs, and purges old rows."""

    def __init__(self, shared: process.Process) -> None:
        self.process, self.conf = shared, shared.conf
        self.lock = host_lock.HostLock(self.conf.state_path, BINARY, self.conf.host)
        self.manager = shared.metered(SchedulerManager(shared.db, self.conf, shared.volume))
        self.manager.events = shared.events
        self.heartbeat = heartbeat.Heartbeat(shared.db, self.conf, BINARY, self.conf.host,
                                             self.conf.storage_availability_zone,
                                           self.lock.instance)
        self._purging = Periodic(PURGE_INTERVAL, self.purge, self._purging_failed)
        self._server: Server | None = None

    def start(self) -> None:
        self.lock.acquire()
        self.heartbeat.start()
        self._server = server = self.process.server(SchedulerRPC, self.manager, self.conf.host)
        server.start()
        self.manager.start()
        self._purging.start()

    def purge(self) -> None:
        with self.process.db.write() as tx:
            job_changes.purge(tx, self.conf.job_retention)
            messages.purge(tx)

    def status(self) -> str:
        return f"scheduler: {self.manager.pool.running} decisions in progress"

    @staticmethod
    def _purging_failed(error):
        LOG.warning("old rows could not be deleted: %s", error)

    def stop(self, timeout: float) -> None:
        if self._server is not None:
            self._server.stop()
        self._purging.stop()
        self.manager.stop(timeout)
        if self.manager.events is not None:
            self.manager.events.stop()
        self.heartbeat.stop()
        self.lock.release()
