"""Places jobs: chooses a pool, takes its capacity, and passes the job on to the volume service."""

import logging
import typing

from oslo_config import cfg
from oslo_db import exception as db_errors

from cinder_lite import context, db, errors, states
from cinder_lite.concurrency import locks, randomness
from cinder_lite.concurrency.periodic import Periodic
from cinder_lite.concurrency.pool import Pool
from cinder_lite.db import groups, job_changes, job_queries, jobs, messages, pools, snapshots, volumes
from cinder_lite.jobs import holds, lifecycle, outcomes, pool_capacity
from cinder_lite.jobs.lifecycle import GROUP
from cinder_lite.scheduler import choose, explain, grouping, plugins, waiting
from cinder_lite.scheduler.placements import MOVES
from cinder_lite.scheduler.rpcapi import SchedulerRPC
from cinder_lite.states import lookup

LOG = logging.getLogger(__name__)

#: Attempts at a decision, which is repeated if another scheduler took the capacity meanwhile.
ROUNDS = 10
WEIGHTS = {"CapacityWeigher": "capacity_weight_multiplier", "VolumeNumberWeigher": "volume_number_multiplier",
           "AllocatedCapacityWeigher": "allocated_capacity_weight_multiplier"}


class SchedulerManager(SchedulerRPC):
    """Any number of schedulers can run: capacity is taken by a conditional UPDATE, and a job is passed on once."""

    meter = None
    #: Records notifications (see cinder_lite.jobs.notifications), None if there are none.
    events = None

    def __init__(self, database: db.Database, conf: cfg.ConfigOpts, volume: typing.Any) -> None:
        self.db, self.conf, self.volume = database, conf, volume
        self.filters = plugins.load_filters(conf.scheduler_default_filters)
        self.weighers = plugins.load_weighers(conf.scheduler_default_weighers, {
            name: conf[option] for name, option in WEIGHTS.items()})
        self.random = randomness.generator()
        self.pool = Pool(16)
        self._sweeper = Periodic(conf.job_sweep_interval, self.sweep, self._log_error)
        self.stopping = False
        self._deciding: set[str] = set()
        self._lock = locks.lock()

    def start(self) -> None:
        self._sweeper.start(now=True)

    def stop(self, timeout: float) -> None:
        self.stopping = True
        self._sweeper.stop()
        self.pool.drain(timeout)

    def run_job(self, ctx: context.Context, job_id: str) -> None:
        with self._lock:
            if self.stopping or job_id in self._deciding:
                return
            self._deciding.add(job_id)
        self.pool.submit(self._decide, ctx, job_id)

    def sweep(self) -> None:
        """Decide on jobs whose message was lost."""
        with self.db.read() as tx:
            found = job_queries.waiting(tx, "scheduler", None, older_than=self.conf.job_sweep_interval / 2)
        for job_id in found:
            self.run_job(context.system(), job_id)

    @staticmethod
    def _log_error(error):
        LOG.warning("looking for jobs failed, will be retried: %s", error)

    def _decide(self, ctx, job_id):
        try:
            for _ in range(ROUNDS):
                host = self._round(job_id)
                if host is not None:
                    break
            if host:
                self.volume.on(host).run_job(ctx, job_id=job_id)
        except errors.Stale as error:
            LOG.info("another scheduler has decided: %s", error)
        except db_errors.DBConnectionError as error:
            LOG.warning("job %s waits for the database: %s", job_id, error)
        except Exception as error:
            # The outermost loop of a scheduler's work: the job is still queued, the sweep finds it again.
            LOG.exception("job %s was not placed, will be retried", job_id)
            with outcomes.quiet(f"counting an attempt to place job {job_id}"):
                self._count_attempt(job_id, error)
        finally:
            with self._lock:
                self._deciding.discard(job_id)

    @db.retried
    def _count_attempt(self, job_id, error):
        """Count the error as an attempt; the last attempt ends the job."""
        with self.db.write() as tx:
            attempts = job_changes.count_attempt(tx, job_id, "scheduler")
            if attempts is None or attempts < self.conf.job_max_attempts:
                return
            job = job_queries.outline(tx, job_id)
        reason = outcomes.reason_of(error, job)
        try:
            with self.db.write() as tx:
                self._end(tx, job_queries.get(tx, job_id), reason)
        except Exception:
            LOG.exception("what job %s holds cannot be given back", job_id)
            with self.db.write() as tx:
                if job_changes.abandon(tx, job, reason, 0):
                    lifecycle.KINDS[job.kind].settle(tx, job.resource_id, job.action, False)
                    messages.add(tx, job, *messages.of_job(job), reason, self.conf.message_ttl)

    @db.retried
    def _round(self, job_id):
        """One decision: the backend's name, "" if there is nothing to send, None if the capacity was taken already."""
        with self.db.read() as tx:
            job, volume = jobs.with_volume(tx, job_id)
            if job is None or job.stage != "scheduler" or job.status != states.QUEUED:
                return ""
            jobs.requester(job)  # sets the log's context
            requests = requests_of(job)(tx, job, volume) if volume is not None else ()
            found = self._pools(tx)
        if job.kind == "group":
            return self._place_group(job, found)
        if volume is None:
            return self._forget(job)
        for request in requests:
            decision = choose.choose(request, found, self.filters, self.weighers, self.random)
            if decision.ranked:
                return self._place(job, volume, decision)
        if any(waiting.coming(request, found, self.filters) for request in requests) or not found:
            if self._wait(job, decision):
                return ""
        self._give_up(job, volume, decision)
        return ""

    def _wait(self, job, decision):
        """Record that the job waits for a backend, and why; the sweep retries it. False when its time is over."""
        noted = waiting.noted(job, decision, self.conf.scheduler_wait_for_backends)
        if noted is None:
            return False
        if noted != job.decision:
            LOG.info("%s of %s %s waits for %s: %s", job.action, job.kind, job.resource_id, waiting.AWAITED,
                     "; ".join(explain.explain(decision.plain())))
            with self.db.write() as tx:
                job_changes.note_waiting(tx, job.id, "scheduler", noted)
        return True

    def _pools(self, tx):
        return [pool_capacity.as_pool(row, self.conf.service_down_time) for row in pools.with_services(tx)]

    def _forget(self, job):
        """The volume or group is gone, and its job with it."""
        with self.db.write() as tx:
            holds.end(tx, self.conf, job, errors.Reason(f"the {job.kind} is gone"))
        return ""

    def _place_group(self, job, found):
        """Choose the pool of a group, which completes its creation."""
        with self.db.read() as tx:
            group = groups.find(tx, job.resource_id)
            wanted = grouping.requests(tx, group) if group is not None else ()
        if not wanted:
            return self._forget(job)
        reason = grouping.refusal(group)
        pool, decision, unfit = grouping.place(wanted, found, self.filters, self.weighers, self.random)
        if pool is not None and reason is None:
            with self.db.write() as tx:
                begun = self.events.subjects(tx, job) if self.events is not None else ()
                if GROUP.finish(tx, job, host=pool.name) and begun:
                    self.events.record(tx, job, pool.service_host, "start", begun)
                    self.events.ended(tx, job, pool.service_host, begun)
                job_changes.keep_decision(tx, job.id, decision.plain())
            if begun:
                self.events.send_soon()
            LOG.info("group %s was placed on %s", group.id, pool.name)
            return ""
        if reason is None and grouping.may_come(wanted, found, self.filters) and self._wait(job, decision):
            return ""
        why = waiting.reason(job, decision, self.conf.scheduler_wait_for_backends)
        reason = errors.Reason(reason) if reason else errors.Reason.joined(f"none suits volumes of type {unfit}", why)
        LOG.warning("no backend for group %s: %s", group.id, reason)
        with self.db.write() as tx:
            if self._end(tx, job, reason, none_found(reason)):
                job_changes.keep_decision(tx, job.id, decision.plain())
        return ""

    def _place(self, job, volume, decision):
        """Take the capacity of the best pool that still has it, and pass the job on to its service."""
        for one in decision.ranked:
            pool = one.pool
            with self.db.write() as tx:
                if not jobs.pass_on(tx, job, "volume", pool.service_host, decision.plain(),
                                    {**job.args, "to": pool.name}):
                    return ""
                if holds.place(tx, states.ACTIONS[job.kind][job.action], volume, pool,
                               pool_capacity.bounds(pool, decision.request)):
                    LOG.info("%s of volume %s was placed on %s", job.action, volume.id, pool.name)
                    self._count(job, "passed on")
                    return pool.service_host
                job_changes.pass_back(tx, job)
        return None

    def _count(self, job, outcome):
        if self.meter is not None:
            self.meter.observe("job_seconds", (db.now() - job.created_at).total_seconds(), job.kind, job.action,
                               "scheduler", outcome)

    def _give_up(self, job, volume, decision):
        tried = job.args.get("failures", [])
        failures = [errors.Reason(f"{one['host']} failed: {one['reason']}", "the storage failed to do it")
                    for one in tried]
        reason = errors.Reason.joined(*failures, waiting.reason(job, decision, self.conf.scheduler_wait_for_backends))
        LOG.warning("no backend for the %s of volume %s: %s", job.action, volume.id, reason)
        self._count(job, states.FAILED)
        with self.db.write() as tx:
            if self._end(tx, job, reason, none_found(reason)):
                job_changes.keep_decision(tx, job.id, decision.plain())

    def _end(self, tx, job, reason, message=None):
        """Give the job up, and say why to its owner. Raises Stale."""
        settled = holds.fail(tx, self.conf, job, reason)
        row = lookup.find(job.kind, job.action)
        about = row.no_backend if row is not None and job.kind == "volume" else messages.of_job(job)
        messages.add(tx, job, *about, message or reason, self.conf.message_ttl)
        return settled


def none_found(reason: errors.Reason) -> errors.Reason:
    """The user message about a decision without a result."""
    text = "No valid backend was found."
    return errors.Reason(f"{text} {reason}", f"{text} {errors.public(reason)}")


def _requests(tx, job, volume):
    source, because = _source_of(tx, volume), "its source is there"
    if source is None:
        source, because = (groups.find(tx, volume.group_id), "its group is there") if volume.group_id else (None, "")
    hints = job.args.get("hints") or {}
    named = [id for hint in ("same_host", "different_host") for id in _listed(hints.get(hint))]
    return [pool_capacity.Request.of(
        job, volume, hints=hints, extra_specs=volume.type_extra_specs or {},
        only_backend=source.host.split("#")[0] if source is not None else None,
        only_because=because,
        volume_hosts={id: row.host for id in named if (row := volumes.find(tx, id)) is not None and row.host})]


def _listed(hint):
    return [hint] if isinstance(hint, str) else [one for one in hint or () if isinstance(one, str)]


def _source_of(tx, volume):
    """The volume whose backend has to create the copy, or None."""
    if volume.source_volid:
        return volumes.find(tx, volume.source_volid)
    if volume.snapshot_id:
        snapshot = snapshots.find(tx, volume.snapshot_id)
        return volumes.find(tx, snapshot.volume_id) if snapshot is not None else None
    return None


#: Name in states.Action.work -> function(tx, job, volume) -> the requests, which are tried in order.
PLACEMENTS = {"create": _requests, **MOVES}


def requests_of(job: db.Row) -> typing.Callable:
    """The function that states what the job's volume requests of a pool."""
    return PLACEMENTS[states.ACTIONS[job.kind][job.action].work[states.SCHEDULER]]
