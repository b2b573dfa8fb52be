"""Bound the callers that wait for one part, so that a part that hangs does not block callers of others."""

import collections
import contextlib
from collections.abc import Hashable, Iterator

from cinder_lite.concurrency import locks

#: The number of hanging parts at which callers of other parts are refused too.
PARTS = 4


class Full(Exception):
    """Too many callers wait for the part already."""


class Bulkhead:
    """A bounded number of callers for each part, and for all together."""

    def __init__(self, limit: int):
        self._limit, self._lock = limit, locks.lock()
        self._counts: collections.Counter[Hashable] = collections.Counter()

    @contextlib.contextmanager
    def place(self, part: Hashable) -> Iterator[None]:
        """Count the block as a caller of that part. Raises Full when there are too many."""
        with self._lock:
            if self._counts[part] >= self._limit or self._counts.total() >= PARTS * self._limit:
                raise Full
            self._counts[part] += 1
        try:
            yield
        finally:
            with self._lock:
                self._counts[part] -= 1
                if not self._counts[part]:
                    del self._counts[part]
