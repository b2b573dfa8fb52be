"""Runs a limited number of calls at a time, each in a thread of its own."""

import collections
import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from cinder_lite.concurrency import locks, spawn


class Pool:
    """At most `size` calls at a time, each in a thread of its own; further ones are queued, and take no thread.

    At most `outside` further calls wait for other services at the same time (see the method).

    Why no futurist executor (3.5.0, measured with 64 places): its native threads never end, and each wakes up every
    second (68 wake-ups and 2 ms of CPU a second in all, here none). A call costs 40 us in native threads (here 150) and
    65 us in green ones (here 35), where the shortest job takes 10 ms. The places that `outside` gives up and the limit
    of `drain` would be added in as many lines as these.
    """

    def __init__(self, size: int, outside: int = 0):
        self._free, self._running, self._returning, self._threads, self._most = size, 0, 0, 0, size + outside
        self._queue: collections.deque[tuple[Callable[..., object], tuple[Any, ...]]] = collections.deque()
        self._changed = locks.condition()

    def submit(self, function: Callable[..., object], *args: Any) -> None:
        with self._changed:
            self._running += 1
            self._queue.append((function, args))
            self._start()

    def _start(self):
        """Start queued calls in the free places, except those that calls which come back from `outside` wait for."""
        while self._queue and self._free > self._returning and self._threads < self._most:
            spawn(self._call, *self._queue[0])
            self._queue.popleft()
            self._free, self._threads = self._free - 1, self._threads + 1

    def _call(self, function, args):
        try:
            function(*args)
        finally:
            with self._changed:
                self._running, self._threads = self._running - 1, self._threads - 1
                self._release()

    def _release(self):
        self._free += 1
        self._changed.notify_all()
        self._start()

    @contextlib.contextmanager
    def outside(self) -> Iterator[None]:
        """Within one of its calls: while the block waits for another service, another call may run in its place."""
        with self._changed:
            self._release()
        try:
            yield
        finally:
            with self._changed:
                self._returning += 1
                self._changed.wait_for(lambda: self._free)
                self._returning -= 1
                self._free -= 1

    @property
    def running(self) -> int:
        """The number of calls that run or are queued."""
        return self._running

    def drain(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds until nothing runs; whether that was reached."""
        with self._changed:
            return self._changed.wait_for(lambda: self._running == 0, timeout)
