"""The progress of running jobs, and whether they are still this worker's."""

import contextlib
import typing
from collections.abc import Callable

from cinder_lite import db, states
from cinder_lite.db import job_changes, job_queries
from cinder_lite.jobs.fence import Fence
from cinder_lite.jobs.outcomes import quiet

if typing.TYPE_CHECKING:
    from cinder_lite.jobs.worker import Worker


class Lease:
    """A running job's progress, and whether the job is still this worker's."""

    job: db.Row
    args: dict[str, typing.Any]
    _worker: "Worker"
    #: When the lease was last confirmed, in seconds of the monotonic clock; when the job was claimed, of since_boot.
    confirmed: float
    _claimed: float
    _fence: Fence | None = None
    #: Units done, and all of them; the percentage that the database has; bytes that the metrics have, None for unknown.
    at = (0, 0)
    recorded = 0
    _counted: int | None = None

    @property
    def fence(self) -> Fence:
        """Guards what the worker writes."""
        # Most jobs need none. One thread's is kept if two make it at the same time.
        return self._fence or vars(self).setdefault("_fence", Fence(
            self.job.id, self.job.attempt, self._worker.conf.job_lease, self._claimed))

    def progress(self, done: int, whole: int) -> None:
        """Report progress in bytes. May be called often and from native threads: it never blocks.

        Raises Stale when another worker has the job, so that the caller stops.
        """
        self.at = (done, whole)
        self.fence.check()
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
        return self.fence.is_lost() or self._worker.stopping

    def has_failed(self) -> bool:
        """Whether the job was ended as failed from outside, so that no worker will use what this attempt has left."""
        with self._worker.db.read() as tx:
            job = job_queries.get(tx, self.job.id)
        return job is None or job.status == states.FAILED

    def clean_up(self, what: str, function: Callable[[], object]) -> None:
        """Remove by function() what this attempt has left, unless another worker may use it; `what` is for the log."""
        with quiet(what), contextlib.nullcontext() if self.has_failed() else self.fence:
            function()

    @property
    def percent(self) -> int:
        """Progress, 0 to 99."""
        done, whole = self.at
        return min(99, done * 100 // whole) if whole else 0
