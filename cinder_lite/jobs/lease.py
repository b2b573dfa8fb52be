"""The progress of running jobs, and whether they are still this worker's."""

import typing

from cinder_lite import db, errors
from cinder_lite.concurrency import clock
from cinder_lite.db import job_changes

if typing.TYPE_CHECKING:
    from cinder_lite.jobs.worker import Worker


class Lease:
    """A running job's progress, and whether the job is still this worker's."""

    job: db.Row
    args: dict[str, typing.Any]
    _worker: "Worker"
    #: When the lease was last confirmed, in seconds of the monotonic clock; whether another worker has the job.
    confirmed: float
    superseded = False
    #: Units done, and all of them; the percentage that the database has; bytes that the metrics have, None for unknown.
    at = (0, 0)
    recorded = 0
    _counted: int | None = None

    def progress(self, done: int, whole: int) -> None:
        """Report progress in bytes. May be called often and from native threads: it never blocks.

        Raises Stale when another worker has the job, so that the caller stops.
        """
        self.at = (done, whole)
        if self._lost():
            raise errors.Stale(id=self.job.id, attempt=self.job.attempt)
        if self._worker.meter is not None:
            self._worker.meter.count("copied_bytes", max(0, done - (done if self._counted is None else self._counted)),
                                     self.job.kind, self.job.action)
            self._counted = done

    def step(self, done: int, whole: int) -> None:
        """Report progress in other units than bytes."""
        self.at = (done, whole)

    def still_ours(self, tx: db.Transaction) -> None:
        """Raise Stale, in a transaction of the handler's own, when another worker has the job."""
        job_changes.progress(tx, self.job, self.percent, self.args)

    def cancelled(self) -> bool:
        """Whether to stop where the work can be resumed: the service stops, or another worker has the job."""
        return self._lost() or self._worker.stopping

    def _lost(self):
        """Whether another worker has the job, or may have it: its lease has not been confirmed for so long."""
        return self.superseded or clock.monotonic() - self.confirmed > self._worker.conf.job_lease

    @property
    def percent(self) -> int:
        """Progress, 0 to 99."""
        done, whole = self.at
        return min(99, done * 100 // whole) if whole else 0
