"""Runs jobs: claims them, keeps their leases, ends them, and hands them back when the service stops.

A handler gets a `Work` and does the work on the device; the worker then commits the resource's status, its quota and
the end of the job in one transaction. A job that another worker has claimed meanwhile is not ended.
"""

import collections
import contextlib
import functools
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ParamSpec, TypeVar

from oslo_config import cfg
from oslo_db import exception as db_errors

from cinder_lite import concurrency, db, errors, states
from cinder_lite.concurrency import clock, locks
from cinder_lite.concurrency.periodic import Periodic
from cinder_lite.concurrency.pool import Pool
from cinder_lite.conf import plugins
from cinder_lite.db import job_changes, job_queries, jobs, messages
from cinder_lite.jobs import holds, lifecycle
from cinder_lite.states import lookup

LOG = logging.getLogger(__name__)

#: Seconds between attempts to record the end of a job while the database is unavailable.
RETRY_INTERVAL = 1.0
#: Seconds between two records of the progress of jobs.
PROGRESS_INTERVAL = 1.0


class Refused(errors.Explained):
    """The work cannot succeed; the text is the reason for the user. `detail` is a cause from messages.DETAILS.

    `public` is the reason for members where the other one is for administrators.
    """

    def __init__(self, reason: str, detail: str = "unknown", public: str | None = None) -> None:
        super().__init__(reason)
        self.detail, self.for_members = detail, public


def found(row: db.Row | None, what: str = "it") -> db.Row:
    """Return the row. Raises Refused when there is none."""
    if row is None:
        raise Refused(f"{what} has been deleted meanwhile")
    return row


def reason_of(error: BaseException, job: db.Row) -> errors.Reason:
    """The reason why a job failed, for its owner: the text of an unexpected error stands in the log alone."""
    if isinstance(error, errors.Explained):
        return errors.Reason.of(error)
    if isinstance(error, OSError) and error.errno:
        return errors.Reason(f"error on the host of the service: {os.strerror(error.errno)}", errors.HIDDEN)
    return errors.Reason(f"unexpected error; see the service's log for {job.request_id or job.id}")


class Work:
    """A running job: its arguments, and the results that the handler leaves.

    The action's holds (jobs.holds) are released when the job fails; handlers register nothing for that.
    """

    def __init__(self, worker: "Worker", job: db.Row) -> None:
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
        self.at, self.superseded, self.recorded = (0, 0), False, 0
        self._worker, self.confirmed = worker, clock.monotonic()
        # A resumed job reports first from where it is resumed.
        self._counted: int | None = None if getattr(job, "progress", 0) else 0

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

    def outside(self) -> contextlib.AbstractContextManager[Any]:
        """A context that waits for another service, and does not occupy one of this worker's slots meanwhile."""
        return self._worker.pool.outside()

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


class Interrupted(Exception):
    """The work stopped because the service stops or another one does not answer; the job is handed back."""


def handlers(stage: str, owners: Mapping[str, object], place: object) -> dict[tuple[str, str],
                                                                              Callable[[Work], object]]:
    """{(kind, action): handler} of a stage, bound by the names in the table of actions.

    `owners` are the objects whose methods do the work, by name. A function from outside the package gets `place` (the
    backend, or the store) and the work. Raises Misconfigured for an unknown name.
    """
    return {(kind, row.name): _bound(row.work[stage], owners, place) for kind, row in lookup.rows()
            if stage in row.work}


def _bound(name, owners, place):
    if ":" in name:
        return functools.partial(plugins.function(name), place)
    owner, _, method = name.partition(".")
    try:
        return getattr(owners[owner], method)
    except (KeyError, AttributeError) as error:
        raise errors.Misconfigured(f"the table of actions names {name}, which does not exist") from error


class Worker:
    """Runs the jobs of one stage and host, `size` at a time. `handlers` is {(kind, action): function(work)}."""

    meter: Any = None
    #: Sends notifications (jobs.notifications.Events); None when they are not configured.
    events: Any = None

    def __init__(self, database: db.Database, conf: cfg.ConfigOpts, stage: str, host: str, owner: str,
                 handlers: Mapping[tuple[str, str], Callable[[Work], object]], size: int) -> None:
        self.db, self.conf, self.stage, self.host, self.owner = database, conf, stage, host, owner
        self.handlers = dict(handlers)
        self.pool = Pool(size)
        self.stopping = False
        self._taken: set[str] = set()
        self._lock = locks.lock()
        self._sweeper = Periodic(conf.job_sweep_interval, self.sweep, self._log_error)
        self._recorder = Periodic(PROGRESS_INTERVAL, self.record, self._log_error)
        self._working: dict[str, Work] = {}
        self._busy: dict[str, tuple[Any, int]] = {}
        self._unreadable: collections.Counter[str] = collections.Counter()

    # -- finding work

    def start(self) -> None:
        """Start looking for jobs."""
        self._sweeper.start(now=True)
        self._recorder.start()

    def stop(self, timeout: float) -> None:
        """Claim no more jobs, wait up to `timeout` seconds for those that run, and hand the others back."""
        self.stopping = True
        self._sweeper.stop()
        if not self.pool.drain(timeout):
            LOG.warning("%d jobs are still running; the next process of this service resumes them", self.pool.running)
        self._recorder.stop()
        if self.events is not None:
            self.events.stop()

    def status(self) -> str:
        """A line for the service manager."""
        return f"{self.pool.running} jobs running"

    def wake(self, job_id: str) -> None:
        """Run the job, unless this worker runs it already."""
        with self._lock:
            if self.stopping or job_id in self._taken:
                return
            self._taken.add(job_id)
        self.pool.submit(self._run, job_id)

    def sweep(self) -> None:
        """Find jobs whose message was lost."""
        with self.db.read() as tx:
            found = job_queries.waiting(tx, self.stage, [self.host], self.owner, self.conf.job_sweep_interval / 2)
        for job_id in found:
            self.wake(job_id)

    def record(self) -> None:
        """Confirm which running jobs are still this worker's, and record their progress."""
        now = clock.monotonic()
        # Jobs that have just begun cost no statement: most end within a moment.
        working = [work for work in list(self._working.values()) if now - work.confirmed >= PROGRESS_INTERVAL]
        if not working:
            return
        with self.db.read() as tx:
            owned = job_queries.owned(tx, self.owner, [work.job.id for work in working])
        for work in working:
            if owned.get(work.job.id) != work.job.attempt:
                work.superseded = True
                continue
            work.confirmed = now
            if work.percent != work.recorded:
                self._record_progress(work)

    def _record_progress(self, work):
        try:
            with self.db.write() as tx:
                job_changes.progress(tx, work.job, work.percent, work.args)
            work.recorded = work.percent
        except errors.Stale as error:
            LOG.warning("%s", error)
            work.superseded = True

    @staticmethod
    def _log_error(error):
        LOG.warning("looking for jobs failed, retrying: %s", error)

    # -- doing it

    def _run(self, job_id):
        try:
            job, volume = self._claim(job_id) if not self.stopping else (None, None)
            self._unreadable.pop(job_id, None)
            if job is not None:
                work = self._working[job_id] = Work(self, job)
                # A resource has two jobs when the first one was ended from outside and its worker has not stopped yet.
                with self._one_at_a_time(job.resource_id) as waited:
                    work.volume = None if waited else volume
                    self._work(work)
        except Exception as error:
            # The outermost loop of a worker: the next sweep finds the job again.
            LOG.exception("job %s failed unexpectedly, retrying", job_id)
            if job_id not in self._working:
                self._count_unreadable(job_id, error)
        finally:
            self._working.pop(job_id, None)
            with self._lock:
                self._taken.discard(job_id)

    def _count_unreadable(self, job_id, error):
        """Give up a job that cannot be claimed after as many attempts as any other."""
        self._unreadable[job_id] += not isinstance(error, db_errors.DBConnectionError)
        if self._unreadable[job_id] > self.conf.job_max_attempts:
            with quiet(f"giving up job {job_id}"), self.db.read() as tx:
                job = job_queries.outline(tx, job_id)
                if job is not None:
                    self._give_up(job, reason_of(error, job))

    @contextlib.contextmanager
    def _one_at_a_time(self, resource_id):
        """Yield whether another job of the resource had to end before."""
        with self._lock:
            lock, waiting = self._busy.get(resource_id, (None, 0))
            lock = lock or locks.lock()
            self._busy[resource_id] = lock, waiting + 1
        try:
            with lock:
                yield waiting > 0
        finally:
            with self._lock:
                lock, waiting = self._busy.pop(resource_id)
                if waiting > 1:
                    self._busy[resource_id] = lock, waiting - 1

    @db.retried
    def _claim(self, job_id):
        with self.db.write() as tx:
            return jobs.claim(tx, job_id, self.owner, self.conf.job_lease)

    def _work(self, work):
        job = work.job
        handler = self.handlers.get((job.kind, job.action))
        if handler is None:
            handler = self._unknown
        outcome = "handed back"
        try:
            if job.attempt > self.conf.job_max_attempts + 1:
                # The work, or its release, could not be recorded in any attempt.
                raise Refused(f"{job.attempt - 1} attempts could not be completed")
            if not isinstance(job.args, dict):
                raise Refused("the job's arguments are invalid")
            if self.events is not None and job.attempt == 1:
                self.events.begun(job, self.stage, self.host)
            handler(work)
        except errors.Stale as error:
            LOG.warning("%s", error)
            self._let_go(job)
        except Interrupted:
            self._persist(job, lambda tx: job_changes.hand_back(tx, job, args=work.args))
        except db_errors.DBConnectionError as error:
            # The work is repeated when the database is available again.
            LOG.warning("%s of %s %s waits for the database: %s", job.action, job.kind, job.resource_id, error)
            self._persist(job, lambda tx: job_changes.hand_back(tx, job, args=work.args))
        except Exception as error:
            # Whatever was raised, the job ends with a reason.
            self._fail(work, error)
            outcome = states.FAILED
        else:
            self._succeed(work)
            outcome = states.SUCCEEDED if work.next_stage is None else "passed on"
        if self.meter is not None:
            self.meter.observe("job_seconds", (db.now() - job.created_at).total_seconds(), job.kind, job.action,
                               self.stage,
                               outcome)

    @staticmethod
    def _unknown(work):
        raise Refused(f"the service on {work.job.host} does not support {work.job.action} of a {work.job.kind}",
                      public="the service does not support this; an administrator can upgrade it")

    def _succeed(self, work):
        job = work.job
        if work.next_stage is not None:
            stage, host = work.next_stage
            ended = self._persist(job, lambda tx: self._pass_on(tx, work, stage, host))
        else:
            ended = self._persist(job, lambda tx: self._finish(tx, work))
            if ended and self.events is not None:
                self.events.send_soon()
            if ended:
                LOG.info("%s of %s %s completed", job.action, job.kind, job.resource_id)
        for function in work.later if ended else ():
            function()

    @staticmethod
    def _pass_on(tx, work, stage, host):
        row = holds.locked(tx, work.job) if work.ending else None
        job_changes.hand_back(tx, work.job, stage, host, work.args)
        for also in work.done_too:
            also(tx)
        for also in work.ending:
            also(tx, row)

    def _finish(self, tx, work):
        job, events = work.job, self.events
        subject = events and events.subjects(tx, job)
        row = holds.locked(tx, job) if work.ending or holds.needs_row(job) else None
        if holds.succeed(tx, self.conf, job, work.kept, work.members, row):
            for also in work.done_too:
                also(tx)
            for also in work.ending if row is not None else ():
                also(tx, row)
            if events is not None:
                events.ended(tx, job, self.host, subject)

    def _fail(self, work, error):
        job = work.job
        reason = reason_of(error, job)
        if isinstance(error, errors.Explained):
            LOG.error("%s of %s %s failed: %s", job.action, job.kind, job.resource_id, reason)
        else:
            LOG.error("%s of %s %s failed", job.action, job.kind, job.resource_id, exc_info=error)
        work.reason = reason
        action, detail = messages.of_job(job)
        detail = getattr(error, "detail", detail)

        def end(tx):
            holds.fail(tx, self.conf, job, reason)
            messages.add(tx, job, action, detail, reason, self.conf.message_ttl)

        try:
            self._persist(job, end)
        except Exception:
            if job.attempt <= self.conf.job_max_attempts:
                raise  # the cause may pass: the job is run again
            LOG.exception("the resources held by %s of %s %s cannot be released", job.action, job.kind, job.resource_id)
            self._give_up(job, reason)

    def _give_up(self, job, reason):
        """End the job and the action alone, when its release fails: `doctor` corrects the sums."""
        def end(tx):
            job_changes.abandon(tx, job, reason, 0)
            lifecycle.KINDS[job.kind].settle(tx, job.resource_id, job.action, False)
            messages.add(tx, job, *messages.of_job(job), reason, self.conf.message_ttl)

        self._persist(job, end)

    def _persist(self, job, write):
        """Commit the end of a job, however long the database is unavailable. False when another worker has the job."""
        while True:
            try:
                self._transact(write)
                return True
            except errors.Stale as error:
                LOG.warning("%s", error)
                self._let_go(job)
                return False
            except db_errors.DBConnectionError as error:
                LOG.warning("cannot record the end of a job yet: %s", error)
                clock.sleep(RETRY_INTERVAL)

    def _let_go(self, job):
        """Record that the worker has stopped: requests that have ended the job wait for it."""
        with quiet(f"recording that job {job.id} has stopped"):
            self._transact(lambda tx: job_changes.mark_stopped(tx, job.id, self.owner))

    @db.retried
    def _transact(self, write):
        with self.db.write() as tx:
            write(tx)


P = ParamSpec("P")
T = TypeVar("T")


def call(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a method of a driver or target in a native thread; log and measure it."""
    began, outcome = clock.monotonic(), "failed"
    try:
        result = concurrency.in_thread(function, *args, **kwargs)
        outcome = "done"
        return result
    finally:
        seconds = clock.monotonic() - began
        owner: Any = getattr(function, "__self__", function)
        on = getattr(owner, "backend", None) or type(owner).__name__
        level = concurrency.log_level()
        if LOG.isEnabledFor(level):
            what = f" of {getattr(args[0], 'id', args[0])}" if args else ""
            LOG.log(level, "%s%s on %s %s in %.1f ms", function.__name__, what, on, outcome, seconds * 1000)
        if getattr(owner, "meter", None) is not None:
            owner.meter.observe("driver_call_seconds", seconds, on, function.__name__, outcome)


@contextlib.contextmanager
def quiet(what: str) -> Iterator[None]:
    """Log a failure of `what` and continue: something else cleans up later."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - whatever it is, the caller's own error matters more
        LOG.warning("%s failed: %s", what, error)
