"""Clients of interfaces: cast and call the methods of services, over oslo.messaging.

A service's interface is a class whose methods are marked `cast` or `call`; the client is built from it and the manager
implements it. A cast only triggers a look at the database, so a lost one is harmless: casts are sent by a
thread of their own, are tried once, and never block the sender.
"""

import collections
import copy
import functools
import inspect
import logging
from collections.abc import Callable, Mapping
from typing import Any

import oslo_messaging

from cinder_lite import concurrency
from cinder_lite.concurrency import budget, bulkhead, clock, locks
from cinder_lite.rpc import calls
from cinder_lite.rpc.endpoint import ContextSerializer
from cinder_lite.rpc.interface import Interface, methods

LOG = logging.getLogger(__name__)

#: Casts that are queued while the broker is slow; older ones are dropped, for the sweep finds their jobs.
BACKLOG = 10000
_SIGNATURE = functools.cache(inspect.signature)


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
        with clock.deadline(seconds) as left:
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

    `waiting` bounds the requests that wait for answers; `timeout` is in seconds. `is_down(topic, host)`: after calls
    without an answer, whether that service is known to be down.
    """

    meter: Any = None

    def __init__(self, transport: Any, interface: type[Interface], sender: Sender, timeout: float,
                 waiting: bulkhead.Bulkhead, is_down: Callable[[str, Any], bool] = lambda *_: False):
        self.interface, self.sender, self.timeout = interface, sender, timeout
        self.calls = calls.Calls(transport, interface.topic, waiting, is_down)
        self._client = oslo_messaging.get_rpc_client(
            transport, oslo_messaging.Target(topic=interface.topic, version=interface.version),
            serializer=ContextSerializer())
        self._methods = methods(interface)

    def on(self, host: str | None) -> "_Bound":
        """The same client for the server of that host."""
        return _Bound(self, host)

    def __getattr__(self, name):
        return getattr(_Bound(self, None), name)


class _Bound:
    def __init__(self, client, host):
        self._owner, self._host = client, host

    def __getattr__(self, name: str) -> Callable[..., Any]:
        kind = self._owner._methods.get(name)
        if kind is None:
            raise AttributeError(f"{self._owner.interface.__name__} has no method {name}")
        return functools.partial(self._cast if kind == "cast" else self._call, name)

    def _prepared(self, name, arguments, retry, timeout=None):
        interface = self._owner.interface
        version, sent = _needed(getattr(interface, name), arguments, f"{interface.version.partition('.')[0]}.0")
        return self._owner._client.prepare(server=self._host, retry=retry, version=version,
                                           timeout=timeout), sent

    def _cast(self, name, ctx, **arguments):
        prepared, sent = self._prepared(name, arguments, 0)
        self._owner.sender.put(lambda: prepared.cast(ctx, name, **sent), self._owner.interface.topic, name)

    def _call(self, name, ctx, **arguments):
        seconds = budget.remaining(ctx, self._owner.timeout)
        prepared, sent = self._prepared(name, arguments, 1, seconds)
        # The service does not begin what this caller no longer waits for.
        asking = copy.copy(ctx)
        asking.ends = clock.time() + seconds
        return self._owner.calls.call(lambda: prepared.call(asking, name, **sent), self._host, name,
                                      self._owner.meter, seconds)


def _needed(method: Callable[..., Any], arguments: Mapping[str, Any], first: str) -> tuple[str, dict[str, Any]]:
    """The version that a message needs and the arguments that it carries; `first` is the version of unmarked
    methods."""
    marked = getattr(method, "later", None)
    if not marked:
        return getattr(method, "since", first), dict(arguments)
    defaults = _SIGNATURE(method).parameters
    later = {name: version for name, version in marked.items()
             if name in arguments and arguments[name] != defaults[name].default}
    sent = {name: value for name, value in arguments.items() if name in later or name not in marked}
    versions = (getattr(method, "since", first), *later.values(), first)
    return max(versions, key=lambda text: [*map(int, text.split("."))]), sent
