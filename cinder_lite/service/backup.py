"""Runs the backup service: heartbeat, jobs and checks of the store."""

import logging

from cinder_lite import concurrency
from cinder_lite.backup import stores
from cinder_lite.backup.manager import BackupManager
from cinder_lite.backup.rpcapi import BackupRPC
from cinder_lite.backup.stores import base
from cinder_lite.concurrency.periodic import Periodic
from cinder_lite.db import job_changes
from cinder_lite.host import host_lock
from cinder_lite.rpc.server import Server
from cinder_lite.service import heartbeat, process

LOG = logging.getLogger(__name__)

BINARY = "cinder-backup"


class BackupService:
    """Makes, restores and deletes backups in one store."""

    def __init__(self, shared: process.Process) -> None:
        self.process, self.conf = shared, shared.conf
        self.store = stores.load(self.conf)
        self.lock = host_lock.HostLock(self.conf.state_path, BINARY, self.conf.host)
        self.heartbeat = heartbeat.Heartbeat(shared.db, self.conf, BINARY, self.conf.host,
                                             self.conf.storage_availability_zone,
                                           self.lock.instance, self._columns)
        self.manager = BackupManager(shared.db, self.conf, self.store, shared.volume, self.heartbeat.owner)
        self.manager.worker.events = shared.events
        shared.metered(self.manager.worker)
        self._checks = Periodic(self.conf.backup_check_interval, self.check, self._check_failed)
        self._server: Server | None = None
        self.failure: str | None = None

    def _columns(self):
        return {"backend_up": self.failure is None, "backend_reason": self.failure}

    def check(self) -> None:
        """Check the store; a change is logged and reported at once."""
        failure = None
        try:
            concurrency.in_thread(self.store.check)
        except base.StoreError as error:
            failure = str(error)
        if failure == self.failure:
            return
        self.failure = failure
        if failure:
            LOG.warning("the store cannot be used: %s", failure)
        else:
            LOG.info("the store can be used again")
        self.heartbeat.beat()

    @staticmethod
    def _check_failed(error):
        LOG.warning("checking the store failed, will be tried again: %s", error)

    def start(self) -> None:
        self.lock.acquire()
        self.heartbeat.start()
        heartbeat.wait_for_database(
            lambda: job_changes.expire_leases(self.process.db, "backup", [self.conf.host], self.heartbeat.owner))
        self._server = server = self.process.server(BackupRPC, self.manager, self.conf.host)
        server.start()
        self.manager.worker.start()
        # In a thread of its own: a store that answers slowly must not block restores or jobs that are resumed.
        self._checks.start(now=True)

    def status(self) -> str:
        store = f"store down ({self.failure}), " if self.failure else ""
        return f"backup: {store}{self.manager.worker.status()}"

    def stop(self, timeout: float) -> None:
        if self._server is not None:
            self._server.stop()
        self._checks.stop()
        self.manager.worker.stop(timeout)
        self.heartbeat.stop()
        self.lock.release()
