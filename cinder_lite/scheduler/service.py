"""The scheduler service."""

from cinder_lite import concurrency
from cinder_lite.db import jobs, messages
from cinder_lite.scheduler.manager import LOG, SchedulerManager
from cinder_lite.scheduler.rpcapi import SchedulerRPC
from cinder_lite.service import daemon, process

BINARY = "cinder-scheduler"
#: Seconds between looks for jobs and messages that are old enough to be forgotten.
PURGE_INTERVAL = 3600


class SchedulerService:
    """Decides, and forgets what has become too old."""

    def __init__(self, shared):
        self.process, self.conf = shared, shared.conf
        self.lock = daemon.HostLock(self.conf.state_path, BINARY, self.conf.host)
        self.manager = shared.counted(SchedulerManager(shared.db, self.conf, shared.volume))
        self.manager.events = shared.events
        self.heartbeat = process.Heartbeat(shared, BINARY, self.conf.host, self.conf.storage_availability_zone,
                                           self.lock.instance)
        self._purges = concurrency.Periodic(PURGE_INTERVAL, self.purge, self._not_purged)
        self._server = None

    def start(self):
        self.lock.take()
        self.heartbeat.start()
        self._server = self.process.server(SchedulerRPC, self.manager, self.conf.host)
        self._server.start()
        self.manager.start()
        self._purges.start()

    def purge(self):
        with self.process.db.write() as tx:
            jobs.purge(tx, self.conf.job_retention)
            messages.purge(tx)

    def status(self):
        return f"scheduler: {self.manager.pool.running} decisions under way"

    @staticmethod
    def _not_purged(error):
        LOG.warning("old rows could not be deleted: %s", error)

    def stop(self, timeout):
        if self._server is not None:
            self._server.stop()
        self._purges.stop()
        self.manager.stop(timeout)
        if self.manager.events is not None:
            self.manager.events.stop()
        self.heartbeat.stop()
        self.lock.release()
