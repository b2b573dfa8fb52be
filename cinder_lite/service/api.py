"""Runs the API: listens on its socket and serves the application with an HTTP server."""

import logging
import socket
from typing import Any

from cinder_lite import errors
from cinder_lite.api import fault, root
from cinder_lite.api.app import Application
from cinder_lite.backup.api import Backups
from cinder_lite.concurrency import clock, http_limits, http_server
from cinder_lite.observe import health
from cinder_lite.service import process
from cinder_lite.volume.verbs.attachments import Attachments
from cinder_lite.volume.verbs.creation import Creation
from cinder_lite.volume.verbs.groups import Groups, GroupSnapshots
from cinder_lite.volume.verbs.images import Images
from cinder_lite.volume.verbs.manage import Management
from cinder_lite.volume.verbs.migration import Migrations
from cinder_lite.volume.verbs.migration_completion import MigrationCompletion
from cinder_lite.volume.verbs.snapshots import Snapshots
from cinder_lite.volume.verbs.transfers import Transfers
from cinder_lite.volume.verbs.volumes import Volumes

LOG = logging.getLogger(__name__)


class ApiService:
    """One worker of the API."""

    def __init__(self, shared: process.Process, sock: socket.socket) -> None:
        self.process, self.conf = shared, shared.conf
        self.application = shared.metered(Application(self.conf, shared.db, domains(shared), self.examine))
        self._server = http_server.WSGIServer(sock, self.application, http_limits.Limits(
            connections=self.conf.osapi_volume_connections, requests=self.conf.osapi_volume_threads,
            request_timeout=self.conf.client_request_timeout, body=self.conf.osapi_max_request_body_size,
            refuse=fault.rejection, quick=root.QUICK), LOG)

    def start(self) -> None:
        self._server.start()

    def stop(self, timeout: float) -> None:
        delay = min(self.conf.healthcheck.stop_delay, timeout)
        if delay:
            self.application.leaving = True
            clock.sleep(delay)
        self._server.stop(timeout - delay)
        self.process.sender.stop()
        if self.process.events is not None:
            self.process.events.stop()

    def status(self) -> str:
        return f"api: {self._server.busy} requests in progress"

    def reload(self) -> None:
        try:
            self.application.policy.reload()
        except errors.Misconfigured as error:
            LOG.error("%s; the former rules stay in force", error)

    def examine(self) -> dict[str, Any]:
        """The health of all services (see health.examine)."""
        return health.examine(self.process)


def domains(shared: process.Process) -> dict[str, Any]:
    """The objects whose methods handlers call, by name."""
    creation = Creation(shared.db, shared.conf, shared.scheduler)
    volumes = Volumes(shared.db, shared.conf, shared.volume)
    groups = Groups(shared.db, shared.conf, shared.scheduler, shared.volume)
    volumes.events = groups.events = shared.events
    return {
        "creation": creation,
        "volumes": volumes,
        "snapshots": Snapshots(shared.db, shared.conf, shared.volume),
        "attachments": Attachments(shared.db, shared.conf, shared.volume),
        "images": Images(shared.db, shared.conf, shared.volume),
        "migrations": Migrations(shared.db, shared.conf, shared.scheduler),
        "migration_completion": MigrationCompletion(shared.db, shared.conf, shared.volume),
        "management": Management(shared.db, shared.conf, shared.scheduler, shared.volume),
        "backups": Backups(shared.db, shared.conf, shared.backup, creation),
        "groups": groups,
        "group_snapshots": GroupSnapshots(shared.db, shared.conf, shared.volume),
        "transfers": Transfers(shared.db, shared.conf, shared.volume),
        "clients": {"volume": shared.volume, "scheduler": shared.scheduler, "backup": shared.backup},
    }
