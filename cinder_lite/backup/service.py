"""The backup service."""

from cinder_lite import process, service
from cinder_lite.backup import stores
from cinder_lite.backup.manager import BackupManager
from cinder_lite.backup.rpcapi import BackupRPC
from cinder_lite.db import jobs

BINARY = "cinder-backup"


class BackupService:
    """Moves bytes between volumes and the store."""

    def __init__(self, shared):
        self.process, self.conf = shared, shared.conf
        self.store = stores.load(self.conf)
        self.lock = service.HostLock(self.conf.state_path, BINARY, self.conf.host)
        self.heartbeat = process.Heartbeat(shared, BINARY, self.conf.host, self.conf.storage_availability_zone,
                                           self.lock.instance)
        self.manager = BackupManager(shared.db, self.conf, self.store, shared.volume, self.heartbeat.owner)
        self.manager.worker.events = shared.events
        shared.counted(self.manager.worker)
        self._server = None

    def start(self):
        self.lock.take()
        self.heartbeat.start()
        process.wait_for(lambda: jobs.take_over(self.process.db, "backup", [self.conf.host], self.heartbeat.owner),
                         "the database")
        self._server = self.process.server(BackupRPC, self.manager, self.conf.host)
        self._server.start()
        self.manager.worker.start()

    def status(self):
        return f"backup: {self.manager.worker.status()}"

    def stop(self, timeout):
        if self._server is not None:
            self._server.stop()
        self.manager.worker.stop(timeout)
        self.heartbeat.stop()
        self.lock.release()
