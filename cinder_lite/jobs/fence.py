"""Keeps a worker whose lease has ended from writing data.

A write is guarded by entering the job's fence. That checks whether the job is still the worker's, as far as this
process can know, and has the kernel kill the process if the write has not begun or not ended by the end of the lease: a
process that is stopped between the check and the write does not write when it goes on, after others have taken over.

In parts of the lease, which is renewed each third: at STOP no further write begins, at KILL a process that is stopped
within a write is killed. The rest is for clocks that differ: the end of a lease is a time in the database.
"""

from cinder_lite import errors
from cinder_lite.concurrency import clock, native_threads
from cinder_lite.host.kill_timer import KillTimer

STOP, KILL = 3 / 4, 11 / 12


class Fence:
    """The right of one attempt at a job to write. Thread-safe; a context that guards one write."""

    def __init__(self, job_id: str, attempt: int, lease: float, claimed: float) -> None:
        """`lease` is in seconds; `claimed` is when the attempt was claimed or earlier, in those of
        clock.since_boot."""
        self.job_id, self.attempt, self.lease = job_id, attempt, lease
        #: Whether another worker has the job.
        self.superseded = False
        self._begun, self._writes, self._lock = claimed, 0, native_threads.lock()
        self._timer: KillTimer | None = None

    def confirm(self, left: float, read_at: float) -> None:
        """The lease had `left` seconds left at `read_at`, a moment of clock.since_boot."""
        with self._lock:
            self._begun = read_at + min(left, self.lease) - self.lease
            if self._writes:
                self._set()

    def supersede(self) -> None:
        """Another worker has the job, or nobody: no further write begins.

        The second call, at least a second later, lets a write be that the device has not completed: only those have
        not ended in a process that runs, and killing it would not end them.
        """
        with self._lock:
            if self.superseded:
                self._unset()
            self.superseded = True

    def is_lost(self) -> bool:
        """Whether another worker has the job, or may have it soon."""
        return self.superseded or clock.since_boot() >= self._begun + self.lease * STOP

    def check(self) -> None:
        """Raise Stale when another worker has the job, or may have it soon."""
        if self.is_lost():
            raise errors.Stale(id=self.job_id, attempt=self.attempt)

    def __enter__(self) -> None:
        self.check()
        with self._lock:
            self._writes += 1
            if self._writes == 1:
                self._set()
        try:
            self.check()
        except errors.Stale:
            self.__exit__()
            raise

    def __exit__(self, *exception: object) -> None:
        with self._lock:
            self._writes -= 1
            if not self._writes:
                self._unset()

    def close(self) -> None:
        """Call when the attempt has ended."""
        with self._lock:
            if self._timer is not None:
                self._timer.close()
                self._timer = None

    def _set(self):
        if not clock.is_simulated():
            self._timer = self._timer or KillTimer()
            self._timer.set(self._begun + self.lease * KILL)

    def _unset(self):
        if self._timer is not None:
            self._timer.set(0)
