"""How much work wrong passwords may make: a share of the process, and less the more of them come from one place.

The right password is let in whatever was tried before. Checking is bounded by slots, so that those who are known already
are answered as ever, and a wrong answer is delayed while its place keeps its slot.
"""

import collections
import contextlib
import ipaddress
import logging
import os
import threading
import time

from cinder_lite import errors

LOG = logging.getLogger(__name__)

#: Wrong passwords before the answer is delayed, seconds of the first delay and of the longest.
FREE, FIRST, LONGEST = 3, 0.25, 4.0
#: Seconds without a wrong password after which those before are forgotten, and how many places are remembered.
FORGOTTEN, REMEMBERED = 900, 10000
#: Passwords that are checked or delayed at a time: for one name from one address, from one address.
OF_NAME, OF_ADDRESS = 2, 6


class Logins:
    """The wrong passwords of a process. `requests` is how many requests it handles at a time."""

    def __init__(self, requests, clock=time.monotonic, sleep=time.sleep):
        self.most = max(2, requests // 4)
        self._clock, self._sleep = clock, sleep
        self._lock, self._slots, self._failures = threading.Lock(), collections.Counter(), collections.OrderedDict()
        self._checking = threading.Semaphore(max(1, (os.cpu_count() or 1) // 2))

    def check(self, name, address, right):
        """What right() says. Raises TooManyLogins while too many others are checked."""
        places = self._places(name, address)
        with self._slots_of(places):
            with self._slots_of({"checked": self.most}), self._checking:
                found = right()
            if found:
                self._forget(places)
                return True
            LOG.warning("a login as %s from %s failed", name, address)
            delay = self._delay(places)
            # From many places at once more come than can be held back: the rest is answered at once.
            with contextlib.suppress(errors.TooManyLogins), self._slots_of({"delayed": self.most}):
                self._sleep(delay)
            return False

    @staticmethod
    def _places(name, address):
        """{what is counted: slots}. A host has a whole network of IPv6 addresses."""
        with contextlib.suppress(ValueError):
            if ipaddress.ip_address(address).version == 6:
                address = str(ipaddress.ip_network(f"{address}/64", strict=False))
        return {(address, name): OF_NAME, (address, None): OF_ADDRESS}

    @contextlib.contextmanager
    def _slots_of(self, wanted):
        """Take one of each sort's slots, {sort: how many there are}, while the block lasts."""
        with self._lock:
            if any(self._slots[place] >= most for place, most in wanted.items()):
                raise errors.TooManyLogins()
            self._slots.update(wanted.keys())
        try:
            yield
        finally:
            with self._lock:
                self._slots.subtract(wanted.keys())
                for place in wanted:
                    if not self._slots[place]:
                        del self._slots[place]

    def _delay(self, places):
        """Count a wrong password; returns for how many seconds to hold its answer back."""
        now, most = self._clock(), 0
        with self._lock:
            for place in places:
                count, at = self._failures.pop(place, (0, now))
                count = 1 if now - at > FORGOTTEN else count + 1
                self._failures[place] = count, now
                most = max(most, count if place[1] is not None else count - FREE)
            while len(self._failures) > REMEMBERED:
                self._failures.popitem(last=False)
        return 0 if most <= FREE else min(LONGEST, FIRST * 2.0 ** min(most - FREE - 1, 10))

    def _forget(self, places):
        """The right password makes up for wrong ones of the same name, not for those of others."""
        with self._lock:
            for place in places:
                if place[1] is not None:
                    self._failures.pop(place, None)
