"""Threads, pools and periodic calls: the one door to eventlet and to native threads.

The mode is `eventlet` unless the environment sets `CINDER_LITE_CONCURRENCY=threading`. `patch()` is the first
call of an entry point, before anything else is imported.
"""

import collections
import contextlib
import logging
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from cinder_lite.concurrency import clock, locks, thread_calls
from cinder_lite.concurrency.patching import GREEN, native
from cinder_lite.concurrency.patching import patch as patch

T = TypeVar("T")


def spawn(function: Callable[..., object], *args: Any, **kwargs: Any) -> Any:
    """Start a green or native daemon thread and return it; `kill` ends a green one early."""
    if GREEN:
        import eventlet

        return eventlet.spawn(function, *args, **kwargs)
    thread = threading.Thread(target=function, args=args, kwargs=kwargs, daemon=True)
    thread.start()
    return thread


_calls: Any = thread_calls.ThreadCalls(native, spawn)


def install(calls: Any) -> None:
    """Run calls of `in_thread` by the method `call` of another object, such as a simulation."""
    global _calls
    _calls = calls


def in_thread(function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Run a call that blocks (device input and output, C libraries) without stopping the other work of the process.

    Returns the function's result and raises its errors.
    """
    if not GREEN or threading.get_native_id() != os.getpid():  # in a native thread already: only the first one is green
        return function(*args, **kwargs)
    return _calls.call(function, args, kwargs)


def log_level() -> int:
    """The level at which work on devices is logged: INFO within a request, DEBUG for maintenance."""
    from oslo_context import context

    return logging.DEBUG if context.get_current() is None else logging.INFO


class Pool:
    """At most `size` calls at a time, each in a thread of its own; further ones are queued, and take no thread.

    Why no futurist executor (3.5.0, measured with 64 places): its native threads never end, and each wakes up every
    second (68 wake-ups and 2 ms of CPU a second in all, here none). A call costs 40 us in native threads (here 150) and
    65 us in green ones (here 35), where the shortest job takes 10 ms. The places that `outside` gives up and the limit
    of `drain` would be added in as many lines as these.
    """

    def __init__(self, size: int):
        self._free, self._running, self._returning = size, 0, 0
        self._queue: collections.deque[tuple[Callable[..., object], tuple[Any, ...]]] = collections.deque()
        self._changed = locks.condition()

    def submit(self, function: Callable[..., object], *args: Any) -> None:
        with self._changed:
            self._running += 1
            self._queue.append((function, args))
            self._start()

    def _start(self):
        """Start queued calls in the free places, except those that calls which come back from `outside` wait for."""
        while self._queue and self._free > self._returning:
            spawn(self._call, *self._queue[0])
            self._queue.popleft()
            self._free -= 1

    def _call(self, function, args):
        try:
            function(*args)
        finally:
            with self._changed:
                self._running -= 1
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


class Periodic:
    """Call a function every `interval` seconds in a thread of its own until stopped; errors go to `on_error`.

    The function is first called one interval after `start` (at once with `now=True`), and at once after `kick`.

    It stays beside futurist.periodics and oslo.service's looping calls because neither can be kicked: the wait of
    both ends with the interval alone. futurist's worker takes a thread as this does, and the interval stands in a
    decorator, where these come from the configuration: adapting it would take more lines than these.
    """

    def __init__(self, interval: float, function: Callable[[], object], on_error: Callable[[Exception], object]):
        self.interval, self.function, self.on_error = interval, function, on_error
        self._stop = False
        self._wake = locks.event()
        self._thread = None

    def start(self, now: bool = False) -> None:
        self._thread = spawn(self._loop, now)

    def kick(self) -> None:
        """Call the function now instead of at the end of the interval."""
        self._wake.set()

    def stop(self) -> None:
        self._stop = True
        self._wake.set()

    def _loop(self, now):
        if now:
            self._once()
        while not self._stop:
            self._wake.wait(self.interval)
            self._wake.clear()
            if not self._stop:
                self._once()

    def _once(self):
        try:
            self.function()
        except Exception as error:
            self.on_error(error)


@contextlib.contextmanager
def deadline(seconds: float) -> Iterator[Callable[[], float]]:
    """Yield a function `left()` that returns the remaining seconds, never below 0."""
    end = clock.monotonic() + seconds
    yield lambda: max(0.0, end - clock.monotonic())
