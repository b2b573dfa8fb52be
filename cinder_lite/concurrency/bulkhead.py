"""How many callers wait for one part that may hang: the others are turned away, so that it holds up nobody else."""

import collections
import contextlib
import threading

#: How many parts that hang there may be before callers of others are turned away too.
PARTS = 4


class Full(Exception):
    """So many wait for the part already that another is not to."""


class Bulkhead:
    """A bounded number of callers for each part, and for all together."""

    def __init__(self, most):
        self._most, self._lock, self._counts = most, threading.Lock(), collections.Counter()

    @contextlib.contextmanager
    def place(self, part):
        """A place among those who wait for that part. Raises Full when there is none."""
        with self._lock:
            if self._counts[part] >= self._most or self._counts.total() >= PARTS * self._most:
                raise Full
            self._counts[part] += 1
        try:
            yield
        finally:
            with self._lock:
                self._counts[part] -= 1
                if not self._counts[part]:
                    del self._counts[part]
