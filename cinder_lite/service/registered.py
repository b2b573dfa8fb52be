"""Defines what the services with a heartbeat have in common: a locked name, periodic tasks and an RPC server."""

import logging
from collections.abc import Callable
from typing import Any, Protocol

from cinder_lite.concurrency import clock
from cinder_lite.concurrency.periodic import Periodic
from cinder_lite.db import job_changes
from cinder_lite.host import host_lock
from cinder_lite.rpc.interface import Interface
from cinder_lite.rpc.server import Server
from cinder_lite.service import heartbeat, process

LOG = logging.getLogger(__name__)


class Worker(Protocol):
    """Runs jobs, or decides on them."""

    def start(self) -> None: ...

    def stop(self, timeout: float) -> None: ...


class RegisteredService:
    """A service of one name. `columns()` and `recorded(row)` are those of its heartbeat (see heartbeat.Heartbeat)."""

    #: Set by the subclass.
    worker: Worker

    def __init__(self, shared: process.Process, binary: str, name: str, zone: str,
                 columns: Callable[[], dict[str, Any]] = dict, recorded: Callable[[Any], object] | None = None) -> None:
        self.process, self.conf = shared, shared.conf
        self.lock = host_lock.HostLock(self.conf.state_path, binary, name)
        self.heartbeat = heartbeat.Heartbeat(
            shared.db, self.conf, binary, name, zone, self.lock, columns, recorded)
        self._tasks: list[Periodic] = []
        self._servers: list[Server] = []

    def every(self, interval: float, function: Callable[[], object], problem: str) -> Periodic:
        """A periodic task, to be started, that ends with the service; `problem` begins the log line of an error."""
        task = Periodic(interval, function, lambda error: LOG.warning("%s: %s", problem, error))
        self._tasks.append(task)
        return task

    def register(self) -> None:
        """Lock the name, and report the service as up."""
        self.lock.acquire()
        self.heartbeat.start()

    def expire_leases(self, stage: str, cluster: str | None = None) -> None:
        """Make the jobs of a former process claimable at once if it has surely ended; else they are by their leases."""
        if self.heartbeat.is_successor:
            job_changes.expire_leases(self.process.db, stage, cluster or self.heartbeat.host, self.heartbeat.owner,
                                      shared=cluster is not None)

    def serve(self, interface: type[Interface], manager: object, cluster: str | None = None) -> None:
        """Receive messages for this name, and messages for the cluster in turn with the other members of it; start the
        worker."""
        for name in filter(None, (self.heartbeat.host, cluster)):
            server = self.process.server(interface, manager, name)
            self._servers.append(server)
            server.start()
        self.worker.start()

    def stop(self, timeout: float) -> None:
        """Stop everything, jobs and calls within `timeout` seconds, and report the service as ended."""
        with clock.deadline(timeout) as left:
            for server in self._servers:
                server.stop()
            for task in self._tasks:
                task.stop()
            self.worker.stop(left())
            for server in self._servers:
                server.drain(left())
        self.heartbeat.stop()
        self.lock.release()
