"""Works on jobs: claims them, keeps their leases, ends them, and hands them back when the service stops.

A handler gets a `Work` and does what the job asks with the device; the resource's status, its quota and the job's end
are one transaction that the worker commits afterwards. A job that was claimed by another meanwhile is not ended.
"""

import contextlib
import logging
import threading
import time

from oslo_db import exception as db_errors

from cinder_lite import concurrency, db, errors, lifecycle, states
from cinder_lite.db import jobs, messages

LOG = logging.getLogger(__name__)

#: Seconds between attempts to write an end while the database is away.
PATIENCE = 1.0
#: Seconds between two records of how far the jobs are.
PROGRESS_INTERVAL = 1.0


class Refused(errors.Explained):
    """The work cannot succeed; the text is the reason for the user. `detail` is a cause from messages.DETAILS.

    `public` is the reason for members where the other is for administrators.
    """

    def __init__(self, reason, detail="unknown", public=None):
        super().__init__(reason)
        self.detail, self.for_members = detail, public


class Work:
    """One job at work: what a handler reads, and where it leaves what is to be kept."""

    def __init__(self, worker, job):
        self.job, self.args = job, dict(job.args)
        self.ctx = jobs.asker(job)
        self.kept, self.lost = {}, {}
        self.done_too, self.failed_too, self.later = [], [], []
        self.next_stage, self.reason = None, None
        self.at, self.superseded, self.recorded = (0, 0), False, 0
        self._worker = worker
        # Where it goes on from is not known before it says so.
        self._counted = None if job.progress else 0

    def begin(self):
        """What is to happen at the end has been said, and the work itself begins. Raises Refused after too many deaths."""
        if self.job.attempt > self._worker.conf.job_max_attempts:
            raise Refused(f"it was begun {self.job.attempt - 1} times and its service died each time")

    def keep(self, **values):
        """Columns of the resource to set when the job succeeds."""
        self.kept |= values

    def lose(self, **values):
        """Columns of the resource to set when the job fails."""
        self.lost |= values

    def afterwards(self, function):
        """Call function() once the end, or the passing on, is committed."""
        self.later.append(function)

    def when_done(self, function):
        """Call function(tx) in the transaction that ends the job well."""
        self.done_too.append(function)

    def when_failed(self, function):
        """Call function(tx) in the transaction that gives the job up."""
        self.failed_too.append(function)

    def leave_job(self, add):
        """Have add(tx) record a job for this worker in the transaction that ends the job well; it returns the id, if any."""
        ids = []
        self.when_done(lambda tx: ids.append(add(tx)))
        self.afterwards(lambda: ids[-1] and self._worker.wake(ids[-1]))

    def pass_on(self, stage, host):
        """Let the job go on at another service instead of ending it, with the present `args`."""
        self.next_stage = (stage, host)

    def progress(self, done, whole):
        """Note how many bytes are done. May be called often and from native threads: it waits for nothing."""
        self.at = (done, whole)
        if self._worker.meter is not None:
            self._worker.meter.count("copied_bytes", max(0, done - (done if self._counted is None else self._counted)),
                                     self.job.kind, self.job.action)
            self._counted = done

    def step(self, done, whole):
        """The same, where bytes are not what is counted."""
        self.at = (done, whole)

    def outside(self):
        """A block that waits for another service: one that hangs must not take the places of jobs that do without it."""
        return self._worker.pool.outside()

    def still_ours(self, tx):
        """Raise Stale, in a transaction of the work's own, when the job is another's by now."""
        jobs.progress(tx, self.job, self.percent, self.args)

    def cancelled(self):
        """Whether to stop at a place from which the work can go on: the service ends, or the job is another's by now."""
        return self.superseded or self._worker.stopping

    @property
    def percent(self):
        done, whole = self.at
        return min(99, done * 100 // whole) if whole else 0


class Interrupted(Exception):
    """The work stopped, because the service ends or another does not answer; it is handed back."""


class Worker:
    """Runs the jobs of one stage and host. `handlers` is {(kind, action): function(work)}."""

    meter = None
    #: Who tells others (see cinder_lite.events), None for nobody.
    events = None

    def __init__(self, database, conf, stage, host, owner, handlers, size, message_of):
        self.db, self.conf, self.stage, self.host, self.owner = database, conf, stage, host, owner
        self.handlers, self.message_of = handlers, message_of
        self.pool = concurrency.Pool(size)
        self.stopping = False
        self._taken, self._lock = set(), threading.Lock()
        self._sweeper = concurrency.Periodic(conf.job_sweep_interval, self.sweep, self._log_error)
        self._recorder = concurrency.Periodic(PROGRESS_INTERVAL, self.record, self._log_error)
        self._working, self._busy = {}, {}

    # -- finding work

    def start(self):
        self._sweeper.start(now=True)
        self._recorder.start()

    def stop(self, timeout):
        """Stop taking jobs, wait up to `timeout` seconds for those at work, hand the rest back."""
        self.stopping = True
        self._sweeper.stop()
        if not self.pool.drain(timeout):
            LOG.warning("%d jobs are still at work; the next process of this service takes them up", self.pool.running)
        self._recorder.stop()
        if self.events is not None:
            self.events.stop()

    def status(self):
        return f"{self.pool.running} jobs running"

    def wake(self, job_id):
        """Somebody says that there is a job."""
        with self._lock:
            if self.stopping or job_id in self._taken:
                return
            self._taken.add(job_id)
        self.pool.submit(self._run, job_id)

    def sweep(self):
        """Look for jobs of which nobody told us."""
        with self.db.read() as tx:
            found = jobs.waiting(tx, self.stage, [self.host], self.owner, self.conf.job_sweep_interval / 2)
        for job_id in found:
            self.wake(job_id)

    def record(self):
        """Write down how far the jobs are that said so since the last time."""
        for work in list(self._working.values()):
            if work.percent == work.recorded:
                continue
            try:
                with self.db.write() as tx:
                    jobs.progress(tx, work.job, work.percent, work.args)
                work.recorded = work.percent
            except errors.Stale as error:
                LOG.warning("%s", error)
                work.superseded = True

    @staticmethod
    def _log_error(error):
        LOG.warning("looking after jobs failed, will be tried again: %s", error)

    # -- doing it

    def _run(self, job_id):
        try:
            job = self._claim(job_id) if not self.stopping else None
            if job is not None:
                work = self._working[job_id] = Work(self, job)
                # Two jobs of one resource exist when the first was ended from outside and is still at it.
                with self._one_at_a_time(job.resource_id):
                    self._work(work)
        except Exception:
            # The outermost loop of a worker: the next sweep finds a job of ours that nobody works on.
            LOG.exception("job %s was left as it is", job_id)
        finally:
            self._working.pop(job_id, None)
            with self._lock:
                self._taken.discard(job_id)

    @contextlib.contextmanager
    def _one_at_a_time(self, resource_id):
        with self._lock:
            lock, waiting = self._busy.get(resource_id, (None, 0))
            lock = lock or threading.Lock()
            self._busy[resource_id] = lock, waiting + 1
        try:
            with lock:
                yield
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
            if self.events is not None and job.attempt == 1:
                self.events.begun(job, self.stage, self.host)
            handler(work)
        except errors.Stale as error:
            LOG.warning("%s", error)
        except Interrupted:
            self._persist(lambda tx: jobs.hand_back(tx, job, args=work.args))
        except db_errors.DBConnectionError as error:
            # Not the work's fault: it is begun again when the database is back.
            LOG.warning("%s of %s %s waits for the database: %s", job.action, job.kind, job.resource_id, error)
            self._persist(lambda tx: jobs.hand_back(tx, job, args=work.args))
        except Exception as error:
            # Whatever went wrong, the promise is an end with a reason.
            self._fail(work, error)
            outcome = states.FAILED
        else:
            self._succeed(work)
            outcome = states.SUCCEEDED if work.next_stage is None else "passed on"
        if self.meter is not None:
            self.meter.observe("job_seconds", (db.now() - job.created_at).total_seconds(), job.kind, job.action, self.stage,
                               outcome)

    @staticmethod
    def _unknown(work):
        raise Refused(f"the service on {work.job.host} does not know how to {work.job.action} a {work.job.kind}",
                      public="the service does not know how to do this; an administrator can upgrade it")

    def _succeed(self, work):
        job = work.job
        if work.next_stage is not None:
            stage, host = work.next_stage
            ended = self._persist(lambda tx: [jobs.hand_back(tx, job, stage, host, work.args),
                                              *(also(tx) for also in work.done_too)])
        else:
            ended = self._persist(lambda tx: self._finish(tx, work))
            if ended and self.events is not None:
                self.events.sent_soon()
            if ended:
                LOG.info("%s of %s %s is done", job.action, job.kind, job.resource_id)
        for function in work.later if ended else ():
            function()

    def _finish(self, tx, work):
        job, events = work.job, self.events
        subject = events and events.subject(tx, job)
        if lifecycle.KINDS[job.kind].finish(tx, job, **work.kept):
            for also in work.done_too:
                also(tx)
            if events is not None:
                events.ended(tx, job, self.host, subject)

    def _fail(self, work, error):
        job = work.job
        reason = errors.Reason.of(error)
        if isinstance(error, errors.Explained):
            LOG.error("%s of %s %s failed: %s", job.action, job.kind, job.resource_id, reason)
        else:
            LOG.error("%s of %s %s failed", job.action, job.kind, job.resource_id, exc_info=error)
        work.reason = reason
        action, detail = self.message_of(job)
        detail = getattr(error, "detail", detail)

        def end(tx):
            if lifecycle.KINDS[job.kind].fail(tx, job, reason, **work.lost):
                for also in work.failed_too:
                    also(tx)
            messages.add(tx, job, action, detail, reason, self.conf.message_ttl)

        self._persist(end)

    def _persist(self, write):
        """Commit an end, however long the database is away: until then the job stays ours. False when it is not ours."""
        while True:
            try:
                self._transact(write)
                return True
            except errors.Stale as error:
                LOG.warning("%s", error)
                return False
            except db_errors.DBConnectionError as error:
                LOG.warning("the end of a job cannot be recorded yet: %s", error)
                time.sleep(PATIENCE)

    @db.retried
    def _transact(self, write):
        with self.db.write() as tx:
            write(tx)


def call(function, *args, **kwargs):
    """Run a method of a driver or target in a native thread, and say so in the log."""
    began, outcome = time.perf_counter(), "failed"
    try:
        result = concurrency.in_thread(function, *args, **kwargs)
        outcome = "done"
        return result
    finally:
        seconds, owner = time.perf_counter() - began, getattr(function, "__self__", function)
        on = getattr(owner, "backend", None) or type(owner).__name__
        level = concurrency.log_level()
        if LOG.isEnabledFor(level):
            what = f" of {getattr(args[0], 'id', args[0])}" if args else ""
            LOG.log(level, "%s%s on %s %s in %.1f ms", function.__name__, what, on, outcome, seconds * 1000)
        if getattr(owner, "meter", None) is not None:
            owner.meter.observe("driver_call_seconds", seconds, on, function.__name__, outcome)


@contextlib.contextmanager
def quiet(what):
    """Go on after a failure of something that is tidied later anyway, but say so in the log."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - whatever it is, the caller's own error matters more
        LOG.warning("%s failed: %s", what, error)
