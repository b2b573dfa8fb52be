"""Clients and servers of interfaces, over oslo.messaging.

A service's interface is a class whose methods are marked `cast` or `call`; the client is built from it and the manager
implements it. A cast only triggers a look at the database, so a lost one is harmless: casts are sent by a
thread of their own, are tried once, and never block the sender.
"""

import collections
import contextlib
import functools
import logging
from collections.abc import Callable, Iterator
from typing import Any

import oslo_messaging
from oslo_messaging.rpc import dispatcher

from cinder_lite import concurrency, context, db, errors
from cinder_lite.concurrency import bulkhead, clock, locks
from cinder_lite.rpc import oslo_internals
from cinder_lite.rpc.interface import Interface, methods, needed
from cinder_lite.rpc.transport import CONNECT_TIMEOUT

LOG = logging.getLogger(__name__)

#: The names, as sent over a broker, of the errors of an unavailable database.
DATABASE_ERRORS = frozenset(one.__name__ for one in (db.Unreachable, *db.Unreachable.__subclasses__()))
#: Casts that are queued while the broker is slow; older ones are dropped, for the sweep finds their jobs.
BACKLOG = 10000


class NoAnswer(errors.Error):
    """The service that was called did not answer in time."""

    status = 500
    message = "the service '{topic}' on {host} did not answer within {seconds} s; is it running?"
    for_members = "the service that does this did not answer in time; try again later, or ask an administrator"


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


class _ContextSerializer(oslo_messaging.NoOpSerializer):
    def serialize_context(self, ctx):
        # The receiver does not need the token.
        return {**ctx.to_dict(), "auth_token": None}

    def deserialize_context(self, ctxt):
        return context.Context.from_dict(ctxt)


class Sender:
    """Sends casts in the background, in order."""

    meter: Any = None

    def __init__(self) -> None:
        self._queue: collections.deque[tuple[Callable[[], object], tuple[str, ...]]] = collections.deque(maxlen=BACKLOG)
        self._filled = locks.event()
        self._stopped = False
        concurrency.spawn(self._loop)

    def put(self, send: Callable[[], object], *labels: str) -> None:
        """Queue a cast; `labels` are its topic and method."""
        self._queue.append((send, labels))
        self._filled.set()

    def stop(self, seconds: float = 2.0) -> None:
        """Send the queued casts, for at most so many seconds."""
        with concurrency.deadline(seconds) as left:
            while self._queue and left():
                clock.sleep(0.02)
        self._stopped = True
        self._filled.set()

    def _loop(self):
        while not self._stopped:
            self._filled.wait()
            self._filled.clear()
            while self._queue:
                (send, labels), outcome = self._queue.popleft(), "sent"
                try:
                    send()
                except oslo_messaging.MessagingException as error:
                    # Not an error: the receiver's sweep finds the job.
                    LOG.warning("a wake-up was not sent, the broker may be unavailable: %s", error)
                    outcome = "lost"
                if self.meter is not None:
                    self.meter.count("rpc_casts", 1, *labels, outcome)


class Client:
    """Calls the methods of an interface: `client.on(host).method(ctx, ...)` on one server, without `on` on any.

    `waiting` bounds the requests that wait for answers; `timeout` is in seconds.
    """

    meter: Any = None

    def __init__(self, transport: Any, interface: type[Interface], sender: Sender, timeout: float,
                 waiting: bulkhead.Bulkhead):
        self.interface, self.sender, self.timeout = interface, sender, timeout
        self.waiting = waiting
        self._client = oslo_messaging.get_rpc_client(
            transport, oslo_messaging.Target(topic=interface.topic, version=interface.version),
            serializer=_ContextSerializer(), timeout=timeout)
        self._methods = methods(interface)
        self._replies = _ReplyQueue(transport)

    def on(self, host: str | None) -> "_Bound":
        """The same client for the server of that host."""
        return _Bound(self, host)

    def __getattr__(self, name):
        return getattr(_Bound(self, None), name)


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


class _Bound:
    def __init__(self, client, host):
        self._owner, self._host = client, host

    def __getattr__(self, name: str) -> Callable[..., Any]:
        kind = self._owner._methods.get(name)
        if kind is None:
            raise AttributeError(f"{self._owner.interface.__name__} has no method {name}")
        return functools.partial(self._cast if kind == "cast" else self._call, name)

    def _prepared(self, name, arguments, retry):
        interface = self._owner.interface
        version, sent = needed(getattr(interface, name), arguments, f"{interface.version.partition('.')[0]}.0")
        return self._owner._client.prepare(server=self._host, retry=retry, version=version), sent

    def _cast(self, name, ctx, **arguments):
        prepared, sent = self._prepared(name, arguments, 0)
        self._owner.sender.put(lambda: prepared.cast(ctx, name, **sent), self._owner.interface.topic, name)

    def _call(self, name, ctx, **arguments):
        owner = self._owner
        values = {"topic": owner.interface.topic, "host": self._host or "any host", "seconds": owner.timeout}
        try:
            with owner.waiting.place((owner.interface.topic, self._host)):
                return self._send(name, ctx, values, arguments)
        except bulkhead.Full as full:
            raise Busy(**values) from full

    def _send(self, name, ctx, values, arguments):
        owner = self._owner
        if not owner._replies.wait(min(owner.timeout, CONNECT_TIMEOUT)):
            raise BrokerUnavailable(**values)
        prepared, sent = self._prepared(name, arguments, 1)
        try:
            with timed(owner.meter, "rpc_call_seconds", owner.interface.topic, name):
                return prepared.call(ctx, name, **sent)
        except (oslo_messaging.RemoteError, dispatcher.UnsupportedVersion) as error:
            # In memory the exception is itself; a broker carries the name of its class.
            found = getattr(error, "exc_type", "UnsupportedVersion")
            if found == "UnsupportedVersion":
                raise TooOld(**values, method=name) from error
            # All services share the database: the caller waits for it as for its own connection.
            if found in DATABASE_ERRORS:
                raise db.Unreachable(error) from error
            raise
        except oslo_messaging.MessageDeliveryFailure as error:
            raise BrokerUnavailable(**values) from error
        except oslo_messaging.MessagingTimeout as error:
            raise NoAnswer(**values) from error
        except errors.Error as error:
            raise errors.as_raised(error) from error


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
        executor = {"executor": "eventlet"} if concurrency.GREEN else {}
        logging.getLogger("oslo_messaging.rpc.server").addFilter(_UNSUPPORTED_VERSIONS)
        self._server = oslo_messaging.get_rpc_server(
            transport, oslo_messaging.Target(topic=interface.topic, server=host), [_endpoint(interface, manager, self)],
            serializer=_ContextSerializer(), access_policy=dispatcher.ExplicitRPCAccessPolicy, **executor)
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
        with self._lock:
            started, self._started = self._started, False
        if started:
            self._server.stop()


@contextlib.contextmanager
def timed(meter: Any, metric: str, *labels: str) -> Iterator[None]:
    """Measure a block, unless `meter` is None; its outcome is the last label."""
    if meter is None:
        yield
        return
    began, outcome = clock.monotonic(), "failed"
    try:
        yield
        outcome = "done"
    finally:
        meter.observe(metric, clock.monotonic() - began, *labels, outcome)


def _endpoint(interface, manager, server):
    """An object with nothing but the interface's methods, so that no other can be called from outside."""
    def exposing(method):
        @functools.wraps(method)
        def answer(_self, ctx, **arguments):
            try:
                with timed(server.meter, "rpc_served_seconds", interface.topic, method.__name__):
                    return method(ctx, **arguments)
            except errors.Error as error:
                raise oslo_messaging.ExpectedException() from error
        answer.exposed = True
        return answer

    members = {name: exposing(getattr(manager, name)) for name in methods(interface)}
    members["target"] = oslo_messaging.Target(version=interface.version)
    return type("Endpoint", (), members)()
