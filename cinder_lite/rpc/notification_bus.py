"""Send notifications to the drivers and topics that are configured."""

import datetime
from collections.abc import Mapping
from typing import Any

import oslo_messaging
from oslo_config import cfg

from cinder_lite.rpc import oslo_internals, transport

#: Drivers of notifications that use a broker, and the version of their message format.
BROKER_DRIVERS = {"messaging": 1.0, "messagingv2": 2.0}
#: The exchange on which consumers of Cinder's notifications listen.
EXCHANGE = "cinder"


def is_enabled(conf: cfg.ConfigOpts) -> bool:
    """Whether a driver of notifications is configured."""
    return any(driver not in ("", "noop") for driver in conf[transport.NOTIFICATIONS].driver)


class Bus:
    """The configured drivers. oslo.messaging's drivers for brokers only log messages that they could not send; this
    raises."""

    FAILURES = oslo_messaging.MessagingException

    def __init__(self, conf: cfg.ConfigOpts):
        with transport.valid_url(f"[{transport.NOTIFICATIONS}] transport_url"):
            self._transport = oslo_messaging.get_notification_transport(conf)
        drivers = conf[transport.NOTIFICATIONS].driver
        self._formats = [BROKER_DRIVERS[driver] for driver in drivers if driver in BROKER_DRIVERS]
        self._topics = conf[transport.NOTIFICATIONS].topics
        self._others = [oslo_messaging.Notifier(self._transport, driver=driver) for driver in drivers
                        if driver not in BROKER_DRIVERS]

    def publish(self, id: str, time: datetime.datetime, publisher: str, event_type: str, payload: Mapping[str, Any],
                requester: Mapping[str, Any]) -> None:
        """Send one notification. Raises FAILURES while the broker is unavailable."""
        for other in self._others:
            other.prepare(publisher_id=publisher).info(requester, event_type, payload)
        message = {"message_id": id, "publisher_id": publisher, "timestamp": str(time), "priority": "INFO",
                   "event_type": event_type, "payload": payload}
        for version in self._formats:
            for topic in self._topics:
                target = oslo_messaging.Target(topic=f"{topic}.info", exchange=EXCHANGE)
                oslo_internals.send_notification(self._transport, target, requester, message, version)
