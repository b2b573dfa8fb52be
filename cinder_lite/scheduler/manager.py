"""Places jobs: chooses a pool, takes its capacity, and passes the job on to the volume service."""

import logging
import typing

from oslo_config import cfg
from oslo_db import exception as db_errors

from cinder_lite import context, db, errors, states
from cinder_lite.concurrency import locks, randomness
from cinder_lite.concurrency.pool import Pool
from cinder_lite.db import groups, job_changes, jobs, snapshots, volumes
from cinder_lite.jobs import holds, outcomes, pool_capacity
from cinder_lite.jobs.sweeper import Sweeper
from cinder_lite.scheduler import choose, grouping, plugins, unplaced, waiting
from cinder_lite.scheduler.placements import MOVES
from cinder_lite.scheduler.pool_table import PoolTable
from cinder_lite.scheduler.rpcapi import SchedulerRPC

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
        self.random, self._pools = randomness.generator(), PoolTable()
        self.pool = Pool(conf.scheduler_max_operations)
        self._sweeper = Sweeper(database, conf, states.SCHEDULER, None, None,
                                lambda job_id: self.run_job(context.system(), job_id))
        self.stopping = False
        self._deciding: set[str] = set()
        self._lock = locks.lock()

    def start(self) -> None:
        self._sweeper.start(now=True)

    def stop(self, timeout: float) -> None:
        self.stopping = True
        self._sweeper.stop()
        self.pool.drain(timeout)
        if self.events is not None:
            self.events.stop()

    def run_job(self, ctx: context.Context, job_id: str) -> None:
        with self._lock:
            if self.stopping or job_id in self._deciding:
                return
            self._deciding.add(job_id)
        self.pool.submit(self._decide, ctx, job_id)

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
                unplaced.count_attempt(self, job_id, error)
        finally:
            with self._lock:
                self._deciding.discard(job_id)

    @db.retried
    def _round(self, job_id):
        """One decision: the backend's name, "" if there is nothing to send, None if the capacity was taken already."""
        with self.db.read() as tx:
            job, volume = jobs.with_volume(tx, job_id)
            if job is None or job.stage != "scheduler" or job.status != states.QUEUED:
                return ""
            jobs.requester(job)  # sets the log's context
            requests = requests_of(job)(tx, job, volume) if volume is not None else ()
            found = self._pools.read(tx, self.conf.service_down_time)
        if job.kind == "group":
            grouping.decide(self, job, found)
            return ""
        if volume is None:
            unplaced.forget(self, job)
            return ""
        for request in requests:
            decision = choose.choose(request, found, self.filters, self.weighers, self.random, most=choose.LISTED)
            if decision.ranked:
                return self._place(job, volume, decision)
        if any(waiting.coming(request, found, self.filters) for request in requests) or not found:
            if unplaced.wait(self, job, decision):
                return ""
        unplaced.give_up(self, job, volume, decision)
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
                    self.count(job, "passed on")
                    return pool.service_host
                job_changes.pass_back(tx, job)
        return None

    def count(self, job: db.Row, outcome: str) -> None:
        """Measure how long the job has waited for this outcome."""
        if self.meter is not None:
            self.meter.observe("job_seconds", (db.now() - job.created_at).total_seconds(), job.kind, job.action,
                               "scheduler", outcome)


def _requests(tx, job, volume):
    source, because = _source_of(tx, volume), "its source is there"
    if source is None:
        source, because = (groups.find(tx, volume.group_id), "its group is there") if volume.group_id else (None, "")
    hints = job.args.get("hints") or {}
    named = [id for hint in ("same_host", "different_host") for id in _listed(hints.get(hint))]
    return [pool_capacity.Request.of(
        job, volume, hints=hints, extra_specs=volume.type_extra_specs or {},
        only_backend=source.host.split("#")[0] if source is not None else None, only_because=because,
        volume_hosts={id: row.host for id in named if (row := volumes.find(tx, id)) is not None and row.host})]


def _listed(hint):
    return [hint] if isinstance(hint, str) else [one for one in hint or () if isinstance(one, str)]


def _source_of(tx, volume):
    """The volume whose backend has to create the copy, or None."""
    if volume.source_volid:
        return volumes.find(tx, volume.source_volid)
    if volume.snapshot_id:
        return snapshots.with_volume(tx, volume.snapshot_id)[1]
    return None


#: Name in states.Action.work -> function(tx, job, volume) -> the requests, which are tried in order.
PLACEMENTS = {"create": _requests, **MOVES}


def requests_of(job: db.Row) -> typing.Callable:
    """The function that states what the job's volume requests of a pool."""
    return PLACEMENTS[states.ACTIONS[job.kind][job.action].work[states.SCHEDULER]]
