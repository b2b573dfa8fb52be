"""Calls functions periodically."""

from collections.abc import Callable

from cinder_lite.concurrency import locks, spawn


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
