"""Runs jobs: claims them, calls their handlers, and commits their ends.

A handler gets a `Work` and does the work on the device; the worker then commits the resource's status, its quota and
the end of the job in one transaction. A job that another worker has claimed meanwhile is not ended.
"""

import collections
import contextlib
import logging
from collections.abc import Callable, Mapping
from typing import Any

from oslo_config import cfg
from oslo_db import exception as db_errors

from cinder_lite import db, errors, states
from cinder_lite.concurrency import bulkhead, clock, locks
from cinder_lite.concurrency.pool import Pool
from cinder_lite.db import job_changes, jobs
from cinder_lite.jobs import failing, holds, shares
from cinder_lite.jobs.outcomes import Refused
from cinder_lite.jobs.recorder import Recorder
from cinder_lite.jobs.sweeper import Sweeper
from cinder_lite.jobs.work import Work

LOG = logging.getLogger(__name__)

#: Seconds between attempts to record the end of a job while the database is unavailable.
RETRY_INTERVAL = 1.0


class Worker:
    """Runs the jobs of one stage and host, `size` at a time. `handlers` is {(kind, action): function(work)}."""

    meter: Any = None
    #: Sends notifications (jobs.notifications.Events); None when they are not configured.
    events: Any = None

    def __init__(self, database: db.Database, conf: cfg.ConfigOpts, stage: str, host: str, owner: str,
                 handlers: Mapping[tuple[str, str], Callable[[Work], object]], size: int) -> None:
        self.db, self.conf, self.stage, self.host, self.owner = database, conf, stage, host, owner
        self.handlers = dict(handlers)
        self.pool = Pool(size, outside=bulkhead.PARTS * conf.rpc_max_waiting)
        self.stopping, self.shares = False, shares.Shares(size, self.wake)
        self._taken: set[str] = set()
        self._lock = locks.lock()
        self._working: dict[str, Work] = {}
        self._busy: dict[str, tuple[Any, int]] = {}
        #: Attempts to claim jobs that failed, {id of the job: number}.
        self.unclaimed: collections.Counter[str] = collections.Counter()
        self._sweeper = Sweeper(database, conf, stage, [host], owner, self.wake)
        self._recorder = Recorder(database, owner, self._working)

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
            if self.stopping or job_id in self._taken or (self.shares and job_id in self.shares):
                return
            self._taken.add(job_id)
        self.pool.submit(self._run, job_id)

    # -- doing it

    def _run(self, job_id):
        try:
            claimed = clock.since_boot()
            job, volume = self._claim(job_id) if not self.stopping else (None, None)
            self.unclaimed.pop(job_id, None)
            if job is not None:
                work = self._working[job_id] = Work(self, job, claimed)
                # A resource has two jobs when the first one was ended from outside and its worker has not stopped yet.
                with self._one_at_a_time(job.resource_id) as waited:
                    work.volume = None if waited else volume
                    self._work(work)
        except Exception as error:
            # The outermost loop of a worker: the next sweep finds the job again.
            LOG.exception("job %s failed unexpectedly, retrying", job_id)
            if job_id not in self._working:
                failing.not_claimed(self, job_id, error)
        finally:
            work = self._working.pop(job_id, None)
            if work is not None:
                work.close()
            with self._lock:
                self._taken.discard(job_id)

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
        with self.db.each() as tx:
            return jobs.claim(tx, job_id, self.stage, self.host, self.owner, self.conf.job_lease)

    def _work(self, work):
        job, handler = work.job, self.handlers.get((work.job.kind, work.job.action), failing.unsupported)
        try:
            if job.attempt > self.conf.job_max_attempts + 1:
                # The work, or its release, could not be recorded in any attempt.
                raise Refused(f"{job.attempt - 1} attempts could not be completed")
            if not isinstance(job.args, dict):
                raise Refused("the job's arguments are invalid")
            if self.events is not None and job.attempt == 1:
                self.events.begun(job, self.stage, self.host)
            handler(work)
        except Exception as error:  # noqa: BLE001 - whatever was raised, the job ends with a reason
            outcome = failing.stopped(self, work, error)
        else:
            self._succeed(work)
            outcome = states.SUCCEEDED if work.next_stage is None else "passed on"
        if self.meter is not None:
            seconds = (db.now() - job.created_at).total_seconds()
            self.meter.observe("job_seconds", seconds, job.kind, job.action, self.stage, outcome)

    def _succeed(self, work):
        job = work.job
        if work.next_stage is not None:
            stage, host = work.next_stage
            ended = self.persist(job, lambda tx: self._pass_on(tx, work, stage, host))
        else:
            ended = self.persist(job, lambda tx: self._finish(tx, work))
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

    def persist(self, job: db.Row, write: Callable[[db.Transaction], object]) -> bool:
        """Commit the end of a job, however long the database is unavailable. False when another worker has the job."""
        while True:
            try:
                self.transact(write)
                return True
            except errors.Stale as error:
                LOG.warning("%s", error)
                failing.let_go(self, job)
                return False
            except db_errors.DBConnectionError as error:
                LOG.warning("cannot record the end of a job yet: %s", error)
                clock.sleep(RETRY_INTERVAL)

    @db.retried
    def transact(self, write: Callable[[db.Transaction], object]) -> None:
        """Commit write(tx)."""
        with self.db.write() as tx:
            write(tx)
