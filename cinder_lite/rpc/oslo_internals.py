"""The parts of oslo.messaging without a public name that are used here, all of them.

tests/meta/test_private_names.py compares them with the installed release.
"""

from collections.abc import Callable, Mapping
from typing import Any

import oslo_messaging
from oslo_config import cfg
from oslo_messaging._drivers import base as driver_base
from oslo_messaging._drivers import common
from oslo_messaging._metrics.client import oslo_messaging_metrics
from oslo_messaging._tracing.client import oslo_messaging_tracing

__all__ = ["OPTIONS", "driver_base", "probe", "reply_queue", "send_notification"]

#: Group -> options that the library registers on the global configuration only, and looks up in that of a transport.
OPTIONS: Mapping[str, list[cfg.Opt]] = {
    "oslo_messaging_metrics": oslo_messaging_metrics, "oslo_messaging_tracing": oslo_messaging_tracing}


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
