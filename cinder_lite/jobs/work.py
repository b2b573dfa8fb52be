"""A running job, as its handler gets it: the job's arguments, and the results that the handler leaves."""

import contextlib
import typing
from collections.abc import Callable
from typing import Any

from cinder_lite import db
from cinder_lite.concurrency import clock
from cinder_lite.db import job_queries, jobs
from cinder_lite.jobs.lease import Lease
from cinder_lite.jobs.outcomes import Interrupted, Refused

if typing.TYPE_CHECKING:
    from cinder_lite.jobs.worker import Worker


class Work(Lease):
    """A running job: its arguments, and the results that the handler leaves.

    The action's holds (jobs.holds) are released when the job fails; handlers register nothing for that.
    """

    def __init__(self, worker: "Worker", job: db.Row, claimed: float) -> None:
        """`claimed` is a moment of clock.since_boot before the job was claimed."""
        self.job = job
        self.args: dict[str, Any] = dict(job.args) if isinstance(job.args, dict) else {}
        self.ctx = jobs.requester(job)
        #: The volume's row as it was when the job was claimed, if nothing has changed it since; else None.
        self.volume: Any = None
        self.kept: dict[str, Any] = {}
        self.done_too: list[Callable[[db.Transaction], object]] = []
        self.ending: list[Callable[[db.Transaction, Any], object]] = []
        self.later: list[Callable[[], object]] = []
        #: Id of a source or member -> columns that it gets when the job succeeds (see holds.succeed).
        self.members: dict[str, Any] = {}
        self.next_stage: tuple[str, str | None] | None = None
        self._worker, self.confirmed, self._claimed = worker, clock.monotonic(), claimed
        # A resumed job reports first from where it is resumed.
        self._counted = None if getattr(job, "progress", 0) else 0

    def close(self) -> None:
        """Call when the attempt has ended."""
        if self._fence is not None:
            self._fence.close()

    def begin(self) -> None:
        """Call before the work itself. Raises Refused when the service has died in too many attempts."""
        if self.job.attempt > self._worker.conf.job_max_attempts:
            raise Refused(f"{self.job.attempt - 1} attempts failed because the service died")

    def after_others(self, tx: db.Transaction) -> None:
        """Raise Interrupted while workers may still run jobs that were ended in favour of this one."""
        if self.args.get("after") and job_queries.still_running(tx, self.args["after"]):
            raise Interrupted

    def keep(self, **values: Any) -> None:
        """Columns of the resource to set when the job succeeds."""
        self.kept |= values

    def afterwards(self, function: Callable[[], object]) -> None:
        """Call function() after the commit that ends the job, or passes it on."""
        self.later.append(function)

    def when_done(self, function: Callable[[db.Transaction], object]) -> None:
        """Call function(tx) in the transaction in which the job succeeds, or is passed on."""
        self.done_too.append(function)

    def at_end(self, function: Callable[[db.Transaction, Any], object]) -> None:
        """The same, as function(tx, row) with the resource's row as it was locked in that transaction."""
        self.ending.append(function)

    def keep_member(self, id: str, **values: Any) -> None:
        """Columns of a source or member to set when the job succeeds; members that are not named stay as they are."""
        self.members[id] = values

    def leave_job(self, add: Callable[[db.Transaction], str | None]) -> None:
        """Call add(tx), which records a further job for this worker and returns its id, in the same transaction."""
        ids: list[str | None] = []
        self.when_done(lambda tx: ids.append(add(tx)))
        self.afterwards(lambda: self._worker.wake(ids[-1]) if ids[-1] else None)

    def pass_on(self, stage: str, host: str | None) -> None:
        """Pass the job on to another service instead of ending it, with the present `args`."""
        self.next_stage = (stage, host)

    def outside(self) -> contextlib.AbstractContextManager[Any]:
        """A context that waits for another service, and does not occupy one of this worker's slots meanwhile."""
        return self._worker.pool.outside()

    def waits_for(self, service: str) -> contextlib.AbstractContextManager[None]:
        """A context that may wait for that service long. Raises Interrupted when as many jobs as may do so already."""
        return self._worker.shares.place(self.job.id, service)
