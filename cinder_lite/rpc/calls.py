"""Calls methods of services and waits for their answers; names the causes of calls without one."""

import logging
from collections.abc import Callable
from typing import Any

import oslo_messaging
from oslo_messaging.rpc import dispatcher

from cinder_lite import concurrency, db, errors
from cinder_lite.concurrency import bulkhead, locks
from cinder_lite.rpc import oslo_internals
from cinder_lite.rpc.endpoint import timed
from cinder_lite.rpc.transport import CONNECT_TIMEOUT

LOG = logging.getLogger(__name__)

#: The names, as sent over a broker, of the errors of an unavailable database.
DATABASE_ERRORS = frozenset(one.__name__ for one in (db.Unreachable, *db.Unreachable.__subclasses__()))


class NoAnswer(errors.Error):
    """The service that was called did not answer in time."""

    status = 500
    message = "the service '{topic}' on {host} did not answer within {seconds} s; is it running?"
    for_members = "the service that does this did not answer in time; try again later, or ask an administrator"


class Down(NoAnswer):
    """The service that was called is known to be down."""

    status = 503
    retry_after = 10
    message = "the service '{topic}' on {host} is down; try again when it is up"
    for_members = "the service that does this is down; try again when it is up"


class BrokerUnavailable(NoAnswer):
    """The request could not be sent."""

    status = 503
    message = ("the request to the service '{topic}' on {host} cannot be sent, because the message broker is "
               "unavailable; "
               "try again later")
    for_members = "the service that does this cannot be reached at the moment; try again later"


class Busy(NoAnswer):
    """Too many requests wait for the service already."""

    status = 503
    retry_after = 5
    message = "too many requests wait for the service '{topic}' on {host} already, which may hang; try again later"
    for_members = "too many requests wait for the service that does this already; try again later"


class TooOld(errors.Error):
    """The service is of a release that does not support the method."""

    status = 503
    message = ("the service '{topic}' on {host} is of a release that does not support '{method}' yet; upgrade it, then "
               "try again")
    for_members = "the service that does this is being upgraded; try again later"


class Calls:
    """The calls of one client. `waiting` bounds those that wait for answers; see `client.Client` for `is_down`."""

    def __init__(self, transport: Any, topic: str, waiting: bulkhead.Bulkhead, is_down: Callable[[str, Any], bool]):
        self._topic, self._waiting, self._is_down = topic, waiting, is_down
        self._replies = _ReplyQueue(transport)

    def call(self, send: Callable[[], Any], host: str | None, method: str, meter: Any, timeout: float) -> Any:
        """The answer to `send`, which calls the method on that host. Raises NoAnswer, TooOld and the method's errors.

        `meter` measures it, unless that is None. `timeout`: seconds until `send` gives up, 0 when it is too late.
        """
        values: dict[str, Any] = {"topic": self._topic, "host": host or "any host", "seconds": round(timeout)}
        if not timeout:
            raise NoAnswer(**values)
        try:
            with self._waiting.place((self._topic, host)):
                return self._answer(send, method, values, meter, timeout)
        except bulkhead.Full as full:
            raise Busy(**values) from full

    def _answer(self, send, method, values, meter, timeout):
        if not self._replies.wait(min(timeout, CONNECT_TIMEOUT)):
            raise BrokerUnavailable(**values)
        try:
            with timed(meter, "rpc_call_seconds", self._topic, method):
                return send()
        except (oslo_messaging.RemoteError, dispatcher.UnsupportedVersion) as error:
            # In memory the exception is itself; a broker carries the name of its class.
            found = getattr(error, "exc_type", "UnsupportedVersion")
            if found == "UnsupportedVersion":
                raise TooOld(**values, method=method) from error
            # All services share the database: the caller waits for it as for its own connection.
            if found in DATABASE_ERRORS:
                raise db.Unreachable(error) from error
            raise
        except oslo_messaging.MessageDeliveryFailure as error:
            raise BrokerUnavailable(**values) from error
        except oslo_messaging.MessagingTimeout as error:
            raise (Down if self._is_down(self._topic, values["host"]) else NoAnswer)(**values) from error
        except errors.Error as error:
            raise errors.as_raised(error) from error


class _ReplyQueue:
    """The queue on which this process receives answers.

    oslo.messaging creates it with the first call, and waits for the broker without limit: a thread of its own does
    that.
    """

    def __init__(self, transport):
        self._create = oslo_internals.reply_queue(transport)
        self._created, self._lock, self._begun = locks.event(), locks.lock(), False

    def wait(self, seconds):
        """Whether it exists after so many seconds at most."""
        if self._create is None:
            return True
        with self._lock:
            if not self._begun:
                self._begun = True
                concurrency.spawn(self._run)
        return self._created.wait(seconds)

    def _run(self):
        try:
            self._create()
            self._created.set()
        except oslo_messaging.MessagingException as error:
            LOG.warning("answers cannot be received yet: %s", error)
            self._begun = False
