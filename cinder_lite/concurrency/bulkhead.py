"""Bound the callers that wait for one part, so that a part that hangs does not block callers of others."""

import collections
import contextlib
from collections.abc import Hashable, Iterator, Mapping
from typing import Any

from cinder_lite.concurrency import locks

#: The number of hanging parts at which callers of other parts are refused too.
PARTS = 4
#: The key of the places of all parts together.
ALL = object()


class Full(Exception):
    """All places are held."""


class Places:
    """Places of keys; `held` is {key: number of its places that are held}."""

    def __init__(self) -> None:
        self._lock = locks.lock()
        self.held: collections.Counter[Hashable] = collections.Counter()

    @contextlib.contextmanager
    def hold(self, limits: Mapping[Any, int]) -> Iterator[None]:
        """Hold a place of each key of {key: number of its places} for the length of the block, or raise Full."""
        with self._lock:
            if any(self.held[key] >= limit for key, limit in limits.items()):
                raise Full
            self.held.update(limits.keys())
        try:
            yield
        finally:
            with self._lock:
                self.held.subtract(limits.keys())
                for key in limits:
                    if not self.held[key]:
                        del self.held[key]


class Bulkhead(Places):
    """A bounded number of callers for each part, and for all together."""

    def __init__(self, limit: int):
        super().__init__()
        self._limit = limit

    def place(self, part: Hashable) -> contextlib.AbstractContextManager[None]:
        """Count the block as a caller of that part. Raises Full when there are too many."""
        return self.hold({part: self._limit, ALL: PARTS * self._limit})

    def full(self) -> list[Any]:
        """The parts whose callers are refused."""
        with self._lock:
            return [part for part, held in self.held.items() if part is not ALL and held >= self._limit]
