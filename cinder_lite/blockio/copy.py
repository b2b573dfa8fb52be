"""Copies one volume's bytes into another, without holes and zeros, and resumes an interrupted copy."""

from collections.abc import Callable, Mapping

from cinder_lite.blockio import device, sparse
from cinder_lite.concurrency import clock

#: Bytes per read.
CHUNK = 4 * 1024**2
#: Bytes between syncs; progress is reported after a sync.
SYNC_INTERVAL = 64 * 1024**2


class Cancelled(Exception):
    """The copy stopped on request; it can be resumed from the last reported progress."""


class RateLimiter:
    """Limits a copy to `limit` bytes per second; 0 means unlimited. Times are in seconds."""

    def __init__(self, limit: int, clock: Callable[[], float] = clock.monotonic,
                 sleep: Callable[[float], object] = clock.sleep_in_thread) -> None:
        self.limit, self._clock, self._sleep = limit, clock, sleep
        self._free_at = clock()

    def wait(self, count: int) -> None:
        """Wait until the limit allows `count` more bytes."""
        if self.limit > 0:
            now = self._clock()
            self._free_at = max(self._free_at, now) + count / self.limit
            if self._free_at - now > 0.05:
                self._sleep(self._free_at - now)


def copy(from_where: Mapping, to_where: Mapping, size: int, start: int = 0, limit: int = 0,
         progress: Callable[[int, int], object] = lambda done, whole: None,
         cancelled: Callable[[], bool] = lambda: False, fence: device.Fence = device.UNFENCED) -> None:
    """Copy the bytes from `start` to `size` between two devices (see cinder_lite.blockio.device).

    Holes and zeros are skipped, so the destination must read as zeros there already. `progress(done, whole)` counts
    only bytes that a crash of the host cannot lose. `limit` is in bytes per second; `fence` guards each write. Raises
    Cancelled, ContentError, and what `fence` raises.
    """
    limiter = RateLimiter(limit)
    with device.source(from_where) as source, device.target(to_where, fence) as target:
        durable = start
        for begin, end in source.extents(start, size):
            for position in range(begin, end, CHUNK):
                if cancelled():
                    target.sync()
                    progress(position, size)
                    raise Cancelled
                data = source.read(position, min(CHUNK, end - position))
                _write(target, position, data)
                limiter.wait(len(data))
                if position + len(data) - durable >= SYNC_INTERVAL:
                    target.sync()
                    durable = position + len(data)
                    progress(durable, size)
        target.sync()
    progress(size, size)


def _write(target, position, data):
    """Write `data` without its runs of zeros."""
    view = memoryview(data)
    for begin, end in sparse.runs(data):
        target.write(position + begin, view[begin:end])
