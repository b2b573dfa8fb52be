"""The resources that the services of one process share: configuration, database, RPC and metrics."""

import dataclasses
import functools
import os
import socket
from typing import Any, TypeVar

from oslo_config import cfg

from cinder_lite import db, errors
from cinder_lite.concurrency import bulkhead
from cinder_lite.db import migrate, services
from cinder_lite.jobs import installed
from cinder_lite.observe import outgoing
from cinder_lite.rpc import notification_bus, transport
from cinder_lite.rpc.client import Client, Sender
from cinder_lite.rpc.interface import Interface
from cinder_lite.rpc.server import Server
from cinder_lite.service import heartbeat

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Interfaces:
    """The RPC interfaces of the services that a process calls."""

    volume: type[Interface]
    scheduler: type[Interface]
    backup: type[Interface]


class Process:
    """Built after the last fork. Resources are created when they are first used."""

    def __init__(self, conf: cfg.ConfigOpts, interfaces: Interfaces):
        self.conf, self._interfaces = conf, interfaces
        installed.register_actions()
        try:
            os.makedirs(conf.state_path, exist_ok=True)
        except OSError as error:
            raise errors.Misconfigured(f"state_path {conf.state_path} cannot be made: {error.strerror}") from error

    def close(self) -> None:
        """Close the connections to the database."""
        if "db" in vars(self):
            self.db.dispose()

    def wait_for_schema(self) -> None:
        """Wait for the database. Raises Misconfigured when it has not been synced for this release."""
        heartbeat.wait_for_database(lambda: migrate.expect_current(self.db))

    @functools.cached_property
    def metrics(self) -> Any:
        """The metrics.Meter, None where metrics are off."""
        if not self.conf.metrics.enabled:
            return None
        from cinder_lite.observe import metrics

        return metrics.Meter()

    @functools.cached_property
    def meter(self) -> Any:
        """The receiver of measurements: metrics, traces or both; None where both are off."""
        found = self.metrics
        if self.conf.tracing.enabled:
            from cinder_lite.observe import tracing

            found = tracing.Tracer(self.conf.tracing.endpoint, self.conf.prog, self.metrics)
        outgoing.Outgoing.meter = found
        return found

    def metered(self, thing: T, *others: Any) -> T:
        """Set the `meter` of objects that measure; returns the first."""
        for one in (thing, *others):
            if one is not None:
                one.meter = self.meter
        return thing

    @functools.cached_property
    def db(self) -> db.Database:
        database = db.Database(self.conf.database)
        if self.metrics is not None:
            self.metrics.watch(database)
        return database

    @functools.cached_property
    def events(self) -> Any:
        """The sender of notifications, None where they are off."""
        if not notification_bus.is_enabled(self.conf):
            return None
        from cinder_lite.jobs import notifications

        return notifications.Events(self.db, notification_bus.Bus(self.conf), f"{self.conf.host}/{self.conf.prog}")

    @functools.cached_property
    def transport(self) -> Any:
        return transport.connect(self.conf)

    @functools.cached_property
    def waiting(self) -> bulkhead.Bulkhead:
        """Bounds the requests that wait for the answer of another service."""
        return bulkhead.Bulkhead(self.conf.rpc_max_waiting)

    @functools.cached_property
    def sender(self) -> Sender:
        return self.metered(Sender())

    def client(self, interface: type[Interface]) -> Client:
        return self.metered(Client(self.transport, interface, self.sender, self.conf.rpc_reply_timeout, self.waiting,
                                   self._is_down))

    def _is_down(self, topic, host):
        with self.db.read() as tx:
            return services.is_down(tx, topic.replace("cinder_lite", "cinder"), host, self.conf.service_down_time)

    def server(self, interface: type[Interface], manager: object, host: str) -> Server:
        return self.metered(Server(self.transport, interface, manager, host))

    def serve_metrics(self, sock: socket.socket | None, database_totals: bool = False) -> Any:
        """Serve the metrics on a socket of metrics.listen, with totals from the database if wanted. Returns the
        exporter."""
        if sock is None:
            return None
        from cinder_lite.observe import metrics

        look = (lambda: metrics.standing(self.db, self.conf.service_down_time)) if database_totals else None
        exporter = metrics.Exporter(self.metrics, sock, look)
        exporter.start()
        return exporter

    @functools.cached_property
    def volume(self) -> Client:
        return self.client(self._interfaces.volume)

    @functools.cached_property
    def scheduler(self) -> Client:
        return self.client(self._interfaces.scheduler)

    @functools.cached_property
    def backup(self) -> Client:
        return self.client(self._interfaces.backup)
