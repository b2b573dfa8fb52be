"""Limits the checking of passwords: the share of a process, and the rate of wrong ones from one source.

A source is a user name at an address, or an address (of IPv6 a /64 network). The right password is accepted whatever
was tried before. A check occupies a slot; the response to a wrong password is delayed while it occupies its source's.
"""

import collections
import contextlib
import ipaddress
import logging
import os
from collections.abc import Callable, Iterable

from cinder_lite import errors
from cinder_lite.concurrency import bulkhead, clock, locks

LOG = logging.getLogger(__name__)

#: Wrong passwords before the response is delayed, seconds of the first delay and of the longest.
FREE_FAILURES, FIRST_DELAY, LONGEST_DELAY = 3, 0.25, 4.0
#: Seconds without a wrong password after which a source's failures expire, and the number of sources that are kept.
FAILURES_EXPIRE, MAX_SOURCES = 900, 10000
#: Passwords that are checked or delayed at a time: for one name from one address, from one address.
SLOTS_OF_NAME, SLOTS_OF_ADDRESS = 2, 6

#: (address, name), or (address, None) for all names from there.
Source = tuple[str, str | None]


class Logins:
    """The password checks of a process. `requests` is the number of requests that it handles at a time."""

    def __init__(self, requests: int, clock: Callable[[], float] = clock.monotonic,
                 sleep: Callable[[float], object] = clock.sleep) -> None:
        self._limit, self.slots = max(2, requests // 4), bulkhead.Places()
        self._clock, self._sleep = clock, sleep
        self._lock = locks.lock()
        self._failures: collections.OrderedDict[Source, tuple[int, float]] = collections.OrderedDict()
        self._checking = locks.semaphore(max(1, (os.cpu_count() or 1) // 2))

    def check(self, name: str, address: str, verify: Callable[[], bool]) -> bool:
        """The result of verify(), delayed when it is False. Raises TooManyLogins while all slots are occupied."""
        try:
            return self._check(name, address, verify)
        except bulkhead.Full as full:
            raise errors.TooManyLogins() from full

    def _check(self, name: str, address: str, verify: Callable[[], bool]) -> bool:
        sources = self._sources(name, address)
        with self.slots.hold(sources):
            with self.slots.hold({"checked": self._limit}), self._checking:
                verified = verify()
            if verified:
                self._forget(sources)
                return True
            LOG.warning("a login as %s from %s failed", name, address)
            delay = self._delay(sources)
            # Where more are delayed than there are slots, the rest gets its response at once.
            with contextlib.suppress(bulkhead.Full), self.slots.hold({"delayed": self._limit}):
                self._sleep(delay)
            return False

    @staticmethod
    def _sources(name: str, address: str) -> dict[Source, int]:
        """{source: its slots}. One host of IPv6 has the addresses of a whole /64 network."""
        with contextlib.suppress(ValueError):
            if ipaddress.ip_address(address).version == 6:
                address = str(ipaddress.ip_network(f"{address}/64", strict=False))
        return {(address, name): SLOTS_OF_NAME, (address, None): SLOTS_OF_ADDRESS}

    def _delay(self, sources: Iterable[Source]) -> float:
        """Count a wrong password; returns the seconds by which to delay the response."""
        now, failures = self._clock(), 0
        with self._lock:
            for source in sources:
                count, at = self._failures.pop(source, (0, now))
                count = 1 if now - at > FAILURES_EXPIRE else count + 1
                self._failures[source] = count, now
                failures = max(failures, count if source[1] is not None else count - FREE_FAILURES)
            while len(self._failures) > MAX_SOURCES:
                self._failures.popitem(last=False)
        if failures <= FREE_FAILURES:
            return 0
        return min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** min(failures - FREE_FAILURES - 1, 10))

    def _forget(self, sources: Iterable[Source]) -> None:
        """The right password clears the failures of the same name, not those of other names."""
        with self._lock:
            for source in sources:
                if source[1] is not None:
                    self._failures.pop(source, None)
