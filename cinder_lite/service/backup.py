"""The backup service."""

import logging

from cinder_lite import concurrency
from cinder_lite.backup import stores
from cinder_lite.backup.manager import BackupManager
from cinder_lite.backup.rpcapi import BackupRPC
from cinder_lite.backup.stores import base
from cinder_lite.db import jobs
from cinder_lite.host import host_lock
from cinder_lite.service import heartbeat

LOG = logging.getLogger(__name__)

BINARY = "cinder-backup"


class BackupService:
    """Moves bytes between volumes and the store."""

    def __init__(self, shared):
        self.process, self.conf = shared, shared.conf
        self.store = stores.load(self.conf)
        self.lock = host_lock.HostLock(self.conf.state_path, BINARY, self.conf.host)
        self.heartbeat = heartbeat.Heartbeat(shared.db, self.conf, BINARY, self.conf.host, self.conf.storage_availability_zone,
                                           self.lock.instance, self._facts)
        self.manager = BackupManager(shared.db, self.conf, self.store, shared.volume, self.heartbeat.owner)
        self.manager.worker.events = shared.events
        shared.metered(self.manager.worker)
        self._checks = concurrency.Periodic(self.conf.backup_check_interval, self.check, self._unchecked)
        self._server, self.wrong = None, None

    def _facts(self):
        return {"backend_up": self.wrong is None, "backend_reason": self.wrong}

    def check(self):
        """Find out whether the store can be used, and say so at once when it no longer can, or can again."""
        wrong = None
        try:
            concurrency.in_thread(self.store.check)
        except base.StoreError as error:
            wrong = str(error)
        if wrong == self.wrong:
            return
        self.wrong = wrong
        if wrong:
            LOG.warning("the store cannot be used: %s", wrong)
        else:
            LOG.info("the store can be used again")
        self.heartbeat.beat()

    @staticmethod
    def _unchecked(error):
        LOG.warning("checking the store failed, will be tried again: %s", error)

    def start(self):
        self.lock.acquire()
        self.heartbeat.start()
        heartbeat.wait_for_database(
            lambda: jobs.take_over(self.process.db, "backup", [self.conf.host], self.heartbeat.owner))
        self._server = self.process.server(BackupRPC, self.manager, self.conf.host)
        self._server.start()
        self.manager.worker.start()
        # Aside: a store that is slow to answer is no reason not to restore from it, or not to end what was begun.
        self._checks.start(now=True)

    def status(self):
        store = f"store down ({self.wrong}), " if self.wrong else ""
        return f"backup: {store}{self.manager.worker.status()}"

    def stop(self, timeout):
        if self._server is not None:
            self._server.stop()
        self._checks.stop()
        self.manager.worker.stop(timeout)
        self.heartbeat.stop()
        self.lock.release()
