"""The parts of oslo.messaging without a public name that are used here, all of them.

tests/meta/test_private_names.py compares them with the installed release.
"""

from collections.abc import Callable, Mapping
from typing import Any

import oslo_messaging
from oslo_config import cfg
from oslo_messaging._drivers import amqpdriver, common
from oslo_messaging._drivers import base as driver_base
from oslo_messaging._metrics.client import oslo_messaging_metrics
from oslo_messaging._tracing.client import oslo_messaging_tracing
from oslo_messaging.rpc import server

from cinder_lite.concurrency import thread_calls
from cinder_lite.concurrency.pool import Pool

__all__ = ["OPTIONS", "RPCServer", "driver_base", "probe", "reply_queue", "send_notification", "wait_longer"]

#: Group -> options that the library registers on the global configuration only, and looks up in that of a transport.
OPTIONS: Mapping[str, list[cfg.Opt]] = {
    "oslo_messaging_metrics": oslo_messaging_metrics, "oslo_messaging_tracing": oslo_messaging_tracing}

#: Seconds between looks of a listener for acknowledgements to send, at first; each further look waits twice as long.
LISTENER_WAIT = 0.25


def wait_longer() -> None:
    """Make listeners wait LISTENER_WAIT at first instead of a millisecond.

    Those of RPC acknowledge each message as it comes: they would look 13 times after each message for nothing.
    """
    amqpdriver.ACK_REQUEUE_EVERY_SECONDS_MIN = LISTENER_WAIT


class RPCServer(server.RPCServer):
    """Serves the methods named in `casts`, which only start something, in the thread that receives messages, others in
    the pool. The library's executor keeps as many threads as it ever had."""

    casts: frozenset[str] = frozenset()
    pool: Pool

    def _on_incoming(self, incoming):
        if incoming[0].message.get("method") in self.casts:
            self._process_incoming(incoming)
            thread_calls.forget_request()
        else:
            self.pool.submit(self._process_incoming, incoming)


def probe(transport: oslo_messaging.Transport) -> Callable[[], None] | None:
    """A function that opens and closes a connection to the broker, trying once; None for a transport without a
    broker."""
    pool = getattr(transport._driver, "_connection_pool", None)
    if pool is None:
        return None
    return lambda: pool.connection_cls(pool.conf, pool.url, common.PURPOSE_LISTEN, retry=1).close()


def reply_queue(transport: oslo_messaging.Transport) -> Callable[[], object] | None:
    """A function that creates the queue of answers and waits for the broker meanwhile; None for one without a
    broker."""
    return getattr(transport._driver, "_get_reply_q", None)


def send_notification(transport: oslo_messaging.Transport, target: oslo_messaging.Target, requester: Mapping[str, Any],
                      message: Mapping[str, Any], version: float) -> None:
    """Send a notification once. Raises MessagingException, which the library's notifiers only log."""
    transport._send_notification(target, requester, message, version=version, retry=0)
