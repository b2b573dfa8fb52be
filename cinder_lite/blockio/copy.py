"""How the bytes of one volume get into another: without holes and zeros, and on from where that was cut off."""

import time

from cinder_lite import concurrency
from cinder_lite.blockio import device, sparse

#: Bytes that are read at once, and after how many of them what was written is made durable.
PIECE = 4 * 1024**2
DURABLE = 64 * 1024**2


class Cancelled(Exception):
    """The copy stopped at a place from which it can go on."""


class Pace:
    """Holds a copy to `limit` bytes a second; 0 is no limit. Time is in seconds."""

    def __init__(self, limit, clock=time.monotonic, sleep=concurrency.sleep_in_thread):
        self.limit, self._clock, self._sleep = limit, clock, sleep
        self._free_at = clock()

    def spend(self, count):
        """Wait until that many bytes may follow those before."""
        if self.limit > 0:
            now = self._clock()
            self._free_at = max(self._free_at, now) + count / self.limit
            if self._free_at - now > 0.05:
                self._sleep(self._free_at - now)


def copy(from_where, to_where, size, start=0, limit=0, progress=lambda done, whole: None, cancelled=lambda: False):
    """Copy the bytes from `start` to `size` between two places (see cinder_lite.blockio.device).

    What is not copied, holes and zeros, has to read as zeros at the destination already. `progress(done, whole)` is
    told no byte that could be lost by a crash of the host. `limit` is in bytes a second. Raises Cancelled, ContentError.
    """
    pace = Pace(limit)
    with device.source(from_where) as source, device.target(to_where) as target:
        durable = start
        for begin, end in source.extents(start, size):
            for position in range(begin, end, PIECE):
                if cancelled():
                    target.sync()
                    progress(position, size)
                    raise Cancelled
                data = source.read(position, min(PIECE, end - position))
                _write(target, position, data)
                pace.spend(len(data))
                if position + len(data) - durable >= DURABLE:
                    target.sync()
                    durable = position + len(data)
                    progress(durable, size)
        target.sync()
    progress(size, size)


def _write(target, position, data):
    """Write what is not a run of zeros."""
    view = memoryview(data)
    for begin, end in sparse.runs(data):
        target.write(position + begin, view[begin:end])
