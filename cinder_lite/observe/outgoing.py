"""Watches the requests to Keystone, Glance and Nova: bounds those that wait, measures them, and names what is slow."""

import functools
import weakref
from collections.abc import Callable
from typing import Any

from oslo_config import cfg

from cinder_lite import errors
from cinder_lite.concurrency import bulkhead
from cinder_lite.concurrency.awaited import Awaited
from cinder_lite.rpc.endpoint import timed

#: Seconds without an answer after which a service is named as slow.
SLOW = 5.0
#: Seconds to wait for the next data of a service whose own option is not set.
TIMEOUT = 60


class Outgoing:
    """The requests of one client of the service `name`; at most `limit` wait at a time, any number if it is None."""

    #: Set for all clients of a process.
    meter: Any = None

    def __init__(self, conf: cfg.ConfigOpts, name: str, limit: int | None):
        self.conf, self.name, self._limits = conf, name, {} if limit is None else {name: limit}
        self._places, self._awaited = bulkhead.Places(), Awaited()
        self._failure: str | None = None

    def send(self, request: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """The response of request(*args, **options). Raises Unavailable at once when too many wait already."""
        from keystoneauth1 import exceptions

        try:
            with (self._places.hold(self._limits), self._awaited.answer(),
                  timed(self.meter, "outgoing_request_seconds", self.name)):
                answer = request(*args, **options)
        except bulkhead.Full as full:
            raise errors.Unavailable(f"Too many requests wait for {self.name} already, which may hang; try again "
                                     "later.") from full
        except exceptions.ConnectionError as error:
            self._failure = type(error).__name__
            raise
        self._failure = None
        return answer

    @property
    def problem(self) -> str | None:
        """A sentence about a service that is slow or does not answer, or None."""
        hangs = self._awaited.hanging(SLOW)
        if hangs:
            return f"{self.name} is slow: {hangs}"
        return self._failure and f"{self.name} did not answer the last request: {self._failure}"


#: The clients that are in use.
_CLIENTS: weakref.WeakSet[Outgoing] = weakref.WeakSet()


def watched(request: Callable[..., Any], conf: cfg.ConfigOpts, name: str, limit: int | None = None) -> Any:
    """The same function, which sends requests to the service `name`, watched as by Outgoing."""
    client = Outgoing(conf, name, limit)
    _CLIENTS.add(client)
    return functools.partial(client.send, request)


def problems(conf: cfg.ConfigOpts) -> list[str]:
    """A sentence about each service that is slow or does not answer, of clients with that configuration."""
    found = {one.problem for one in list(_CLIENTS) if one.conf is conf}
    return sorted(f"{problem}; check it and the network to it" for problem in found if problem)
