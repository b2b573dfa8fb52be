"""Serves the methods of an interface, over oslo.messaging."""

import logging
from typing import Any

import oslo_messaging
from oslo_messaging.rpc import dispatcher

from cinder_lite import concurrency
from cinder_lite.concurrency import locks
from cinder_lite.concurrency.pool import Pool
from cinder_lite.rpc import endpoint, oslo_internals
from cinder_lite.rpc.interface import Interface, methods


class _UnsupportedVersions(logging.Filter):
    """Logs a message of a later release in one line: the caller gets TooOld, and a lost cast is harmless."""

    def filter(self, record):
        if record.exc_info and isinstance(record.exc_info[1], dispatcher.UnsupportedVersion):
            record.levelno, record.levelname = logging.WARNING, "WARNING"
            record.msg, record.args = "ignored a message of a later release: %s", (record.exc_info[1],)
            record.exc_info = None
        return True


_UNSUPPORTED_VERSIONS = _UnsupportedVersions()


class Server:
    """Serves an interface with the methods of `manager`, addressed as `host`.

    It starts in a thread of its own: an unavailable broker does not block the caller.
    """

    meter: Any = None

    def __init__(self, transport: Any, interface: type[Interface], manager: object, host: str):
        logging.getLogger("oslo_messaging.rpc.server").addFilter(_UNSUPPORTED_VERSIONS)
        self._server = oslo_messaging.get_rpc_server(
            transport, oslo_messaging.Target(topic=interface.topic, server=host),
            [endpoint.build(interface, manager, self)],
            serializer=endpoint.ContextSerializer(), access_policy=dispatcher.ExplicitRPCAccessPolicy,
            server_cls=oslo_internals.RPCServer)
        self._server.casts = frozenset(name for name, kind in methods(interface).items() if kind == "cast")
        self._server.pool = Pool(max(1, self._server.conf.executor_thread_pool_size))
        self._started: bool | None = None
        self._lock = locks.lock()

    def start(self) -> None:
        concurrency.spawn(self._start)

    def _start(self):
        self._server.start()
        with self._lock:
            stopped, self._started = self._started is False, True
        if stopped:
            self._server.stop()

    def stop(self) -> None:
        """Receive no more messages."""
        with self._lock:
            started, self._started = self._started, False
        if started:
            self._server.stop()

    def drain(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds for the calls under way, whose callers wait for answers; whether they ended."""
        return self._server.pool.drain(timeout)
