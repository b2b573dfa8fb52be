"""Works on jobs: claims them, keeps their leases, ends them, and hands them back when the service stops.

A handler gets a `Work` and does what the job asks with the device; the resource's status, its quota and the job's end
are one transaction that the worker commits afterwards. A job that was claimed by another meanwhile is not ended.
"""

import collections
import contextlib
import functools
import logging
import os
import threading
import time

from oslo_db import exception as db_errors

from cinder_lite import concurrency, db, errors, states
from cinder_lite.conf import plugins
from cinder_lite.db import jobs, messages
from cinder_lite.jobs import holds, lifecycle

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


def found(row, what="it"):
    """The row. Raises Refused when there is none."""
    if row is None:
        raise Refused(f"{what} has been deleted meanwhile")
    return row


def reason_of(error, job):
    """Why a job failed, in words for its owner: never those of an error that only a log can explain."""
    if isinstance(error, errors.Explained):
        return errors.Reason.of(error)
    if isinstance(error, OSError) and error.errno:
        return errors.Reason(f"the host of the service says: {os.strerror(error.errno)}", errors.HIDDEN)
    return errors.Reason(f"an unexpected error; the log of the service explains it under {job.request_id or job.id}")


class Work:
    """One job at work: what a handler reads, and where it leaves what is to be kept.

    What the job holds is given back by `holds` when it fails: a handler needs not say so.
    """

    def __init__(self, worker, job):
        self.job, self.args = job, dict(job.args) if isinstance(job.args, dict) else {}
        self.ctx = jobs.requester(job)
        self.kept, self.lost = {}, {}
        self.done_too, self.ending, self.later = [], [], []
        #: Id of a source or member -> columns that it gets when the job succeeds (see holds.succeed).
        self.members = {}
        self.next_stage, self.reason = None, None
        self.at, self.superseded, self.recorded = (0, 0), False, 0
        self._worker, self.confirmed = worker, time.monotonic()
        # Where it goes on from is not known before it says so.
        self._counted = None if getattr(job, "progress", 0) else 0

    def begin(self):
        """The work itself begins. Raises Refused after too many deaths."""
        if self.job.attempt > self._worker.conf.job_max_attempts:
            raise Refused(f"it was begun {self.job.attempt - 1} times and its service died each time")

    def after_others(self, tx):
        """Raise Interrupted while those may still be at work whose jobs were ended for this one."""
        if self.args.get("after") and jobs.still_running(tx, self.args["after"]):
            raise Interrupted

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

    def at_end(self, function, first=False):
        """Call function(tx, row) in the transaction that ends the job well, with the resource's row as it was locked there.

        `first`: before what was said until now.
        """
        self.ending.insert(0 if first else len(self.ending), function)

    def keep_member(self, id, **values):
        """Columns of a source or member to set when the job succeeds: only members named so are settled."""
        self.members[id] = values

    def leave_job(self, add):
        """Have add(tx) record a job for this worker in the transaction that ends the job well; it returns the id, if any."""
        ids = []
        self.when_done(lambda tx: ids.append(add(tx)))
        self.afterwards(lambda: ids[-1] and self._worker.wake(ids[-1]))

    def pass_on(self, stage, host):
        """Let the job go on at another service instead of ending it, with the present `args`."""
        self.next_stage = (stage, host)

    def progress(self, done, whole):
        """Note how many bytes are done. May be called often and from native threads: it waits for nothing.

        Raises Stale when the job is another's by now, so that whoever tells of progress stops.
        """
        self.at = (done, whole)
        if self._lost():
            raise errors.Stale(id=self.job.id, attempt=self.job.attempt)
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
        return self._lost() or self._worker.stopping

    def _lost(self):
        """Whether the job is another's, or may be: nobody has confirmed for the length of a lease that it is ours."""
        return self.superseded or time.monotonic() - self.confirmed > self._worker.conf.job_lease

    @property
    def percent(self):
        done, whole = self.at
        return min(99, done * 100 // whole) if whole else 0


class Interrupted(Exception):
    """The work stopped, because the service ends or another does not answer; it is handed back."""


def handlers(stage, owners, place):
    """{(kind, action): function(work)} of what is done at a stage, bound by the names in the table of actions.

    `owners` are the objects whose methods do the work, by name. A function from outside the package gets `place` (the
    backend, or the store) and the work. Raises Misconfigured for a name that leads nowhere.
    """
    return {(kind, row.name): _bound(row.work[stage], owners, place) for kind, row in states.rows() if stage in row.work}


def _bound(name, owners, place):
    if ":" in name:
        return functools.partial(plugins.function(name), place)
    owner, _, method = name.partition(".")
    try:
        return getattr(owners[owner], method)
    except (KeyError, AttributeError) as error:
        raise errors.Misconfigured(f"nothing does {name}, which the table of actions names") from error


class Worker:
    """Runs the jobs of one stage and host. `handlers` is {(kind, action): function(work)}."""

    meter = None
    #: Who tells others (see cinder_lite.jobs.notifications), None for nobody.
    events = None

    def __init__(self, database, conf, stage, host, owner, handlers, size):
        self.db, self.conf, self.stage, self.host, self.owner = database, conf, stage, host, owner
        self.handlers = handlers
        self.pool = concurrency.Pool(size)
        self.stopping = False
        self._taken, self._lock = set(), threading.Lock()
        self._sweeper = concurrency.Periodic(conf.job_sweep_interval, self.sweep, self._log_error)
        self._recorder = concurrency.Periodic(PROGRESS_INTERVAL, self.record, self._log_error)
        self._working, self._busy, self._unreadable = {}, {}, collections.Counter()

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
        """See which jobs are still ours, and write down how far those are that said so since the last time."""
        now = time.monotonic()
        # What has just been begun, and what will have ended in a moment, is not worth a statement.
        working = [work for work in list(self._working.values()) if now - work.confirmed >= PROGRESS_INTERVAL]
        if not working:
            return
        with self.db.read() as tx:
            owned = jobs.owned(tx, self.owner, [work.job.id for work in working])
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
            self._unreadable.pop(job_id, None)
            if job is not None:
                work = self._working[job_id] = Work(self, job)
                # Two jobs of one resource exist when the first was ended from outside and is still at it.
                with self._one_at_a_time(job.resource_id):
                    self._work(work)
        except Exception as error:
            # The outermost loop of a worker: the next sweep finds a job of ours that nobody works on.
            LOG.exception("job %s was left as it is", job_id)
            if job_id not in self._working:
                self._count_unreadable(job_id, error)
        finally:
            self._working.pop(job_id, None)
            with self._lock:
                self._taken.discard(job_id)

    def _count_unreadable(self, job_id, error):
        """A job that cannot even be claimed is given up like others that fail again and again."""
        self._unreadable[job_id] += not isinstance(error, db_errors.DBConnectionError)
        if self._unreadable[job_id] > self.conf.job_max_attempts:
            with quiet(f"giving up job {job_id}"), self.db.read() as tx:
                job = jobs.outline(tx, job_id)
                if job is not None:
                    self._give_up(job, reason_of(error, job))

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
            if job.attempt > self.conf.job_max_attempts + 1 and job.kind != "leftover":
                # What comes after the work, or what gives it up, failed each time.
                raise Refused(f"it was begun {job.attempt - 1} times and could not be ended")
            if not isinstance(job.args, dict):
                raise Refused("what was asked for cannot be read")
            if self.events is not None and job.attempt == 1:
                self.events.begun(job, self.stage, self.host)
            handler(work)
        except errors.Stale as error:
            LOG.warning("%s", error)
            self._let_go(job)
        except Interrupted:
            self._persist(job, lambda tx: jobs.hand_back(tx, job, args=work.args))
        except db_errors.DBConnectionError as error:
            # Not the work's fault: it is begun again when the database is back.
            LOG.warning("%s of %s %s waits for the database: %s", job.action, job.kind, job.resource_id, error)
            self._persist(job, lambda tx: jobs.hand_back(tx, job, args=work.args))
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
            ended = self._persist(job, lambda tx: self._pass_on(tx, work, stage, host))
        else:
            ended = self._persist(job, lambda tx: self._finish(tx, work))
            if ended and self.events is not None:
                self.events.sent_soon()
            if ended:
                LOG.info("%s of %s %s is done", job.action, job.kind, job.resource_id)
        for function in work.later if ended else ():
            function()

    @staticmethod
    def _pass_on(tx, work, stage, host):
        row = holds.locked(tx, work.job) if work.ending else None
        jobs.hand_back(tx, work.job, stage, host, work.args)
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
            holds.fail(tx, self.conf, job, reason, **work.lost)
            messages.add(tx, job, action, detail, reason, self.conf.message_ttl)

        try:
            self._persist(job, end)
        except Exception:
            if job.attempt <= self.conf.job_max_attempts:
                raise  # it is begun again: what was in the way may pass
            LOG.exception("what %s of %s %s holds cannot be given back", job.action, job.kind, job.resource_id)
            self._give_up(job, reason)

    def _give_up(self, job, reason):
        """The least that an end is, when even that fails: the sums are for `doctor` to put right."""
        def end(tx):
            jobs.abandon(tx, job, reason, 0)
            lifecycle.KINDS[job.kind].settle(tx, job.resource_id, job.action, False)
            messages.add(tx, job, *messages.of_job(job), reason, self.conf.message_ttl)

        self._persist(job, end)

    def _persist(self, job, write):
        """Commit an end, however long the database is away: until then the job stays ours. False when it is not ours."""
        while True:
            try:
                self._transact(write)
                return True
            except errors.Stale as error:
                LOG.warning("%s", error)
                self._let_go(job)
                return False
            except db_errors.DBConnectionError as error:
                LOG.warning("the end of a job cannot be recorded yet: %s", error)
                time.sleep(PATIENCE)

    def _let_go(self, job):
        """Whoever has ended the job from outside waits for that."""
        with quiet(f"telling that job {job.id} is let go"):
            self._transact(lambda tx: jobs.mark_stopped(tx, job.id, self.owner))

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
