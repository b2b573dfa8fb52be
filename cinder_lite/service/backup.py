"""Runs the backup service: heartbeat, jobs and checks of the store."""

import logging

from cinder_lite import concurrency
from cinder_lite.backup import stores
from cinder_lite.backup.manager import BackupManager
from cinder_lite.backup.rpcapi import BackupRPC
from cinder_lite.backup.stores import base
from cinder_lite.concurrency.awaited import Awaited
from cinder_lite.service import heartbeat, process
from cinder_lite.service.registered import RegisteredService

LOG = logging.getLogger(__name__)

BINARY = "cinder-backup"


class BackupService(RegisteredService):
    """Makes, restores and deletes backups in one store."""

    def __init__(self, shared: process.Process) -> None:
        self.store = stores.load(shared.conf)
        super().__init__(shared, BINARY, shared.conf.host, shared.conf.storage_availability_zone, self._columns)
        self.manager = BackupManager(shared.db, self.conf, self.store, shared.volume, self.heartbeat.owner)
        self.manager.worker.events = shared.events
        self.worker = shared.metered(self.manager.worker)
        self._checks = self.every(self.conf.backup_check_interval, self.check,
                                  "checking the store failed, will be tried again")
        self._failure: str | None = None
        self._awaited = Awaited()

    @property
    def failure(self) -> str | None:
        """Why the store cannot be used, or None."""
        return self._awaited.hanging(self.conf.service_down_time) or self._failure

    def _columns(self):
        failure = self.failure
        return {"backend_up": failure is None, "backend_reason": failure}

    def check(self) -> None:
        """Check the store; a change is logged and reported at once."""
        failure = None
        try:
            with self._awaited.answer():
                concurrency.in_thread(self.store.check)
        except base.StoreError as error:
            failure = str(error)
        if failure == self._failure:
            return
        self._failure = failure
        if failure:
            LOG.warning("the store cannot be used: %s", failure)
        else:
            LOG.info("the store can be used again")
        self.heartbeat.beat()

    def start(self) -> None:
        self.register()
        heartbeat.wait_for_database(lambda: self.expire_leases("backup"))
        self.serve(BackupRPC, self.manager)
        # In a thread of its own: a store that answers slowly must not block restores or jobs that are resumed.
        self._checks.start(now=True)

    def status(self) -> str:
        failure = self.failure
        store = f"store down ({failure}), " if failure else ""
        return f"backup: {store}{self.manager.worker.status()}"
