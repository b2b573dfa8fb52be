"""Chooses the pool of a group: on a backend that can take volumes of all its types."""

import functools
import logging
import random
import typing
from collections.abc import Mapping, Sequence

from cinder_lite import db, errors
from cinder_lite.db import groups, job_changes, types
from cinder_lite.jobs import pool_capacity
from cinder_lite.jobs.lifecycle import GROUP
from cinder_lite.scheduler import choose, unplaced, waiting
from cinder_lite.scheduler import filters as filtering
from cinder_lite.scheduler import weighers as weighing

if typing.TYPE_CHECKING:
    from cinder_lite.scheduler.manager import SchedulerManager

LOG = logging.getLogger(__name__)

#: (name of a volume type, what is requested for it) of each type of a group
Requests = Sequence[tuple[str, pool_capacity.Request]]


def refusal(group: db.Row) -> str | None:
    """Why no backend can take the group at all, or None."""
    for key in groups.REPLICATED:
        if groups.is_set(group.group_specs, key):
            return f"no backend replicates, which {key} asks for"
    return None


def requests(tx: db.Transaction, group: db.Row) -> list[tuple[str, pool_capacity.Request]]:
    """The requests for the group's types: [(type's name, Request)]."""
    found = [types.find(tx, id) for id in group.volume_types["ids"]]
    return [(one.name, pool_capacity.Request(
        size=0, operation="create a group", extra_specs=one.extra_specs, zones=(group.availability_zone,)))
        for one in found if one is not None]


def place(wanted: Requests, pools: Sequence[pool_capacity.Pool], filters: Mapping[str, filtering.Filter],
          weighers: Sequence[weighing.Weigher],
          rng: random.Random) -> tuple[pool_capacity.Pool | None, choose.Decision, str | None]:
    """(best pool for all the requests, or None; the last decision; the type without a pool)."""
    best: list[pool_capacity.Pool] | None = None
    for name, request in wanted:
        decision = choose.choose(request, pools, filters, weighers, rng)
        backends = {ranked.pool.service_host for ranked in decision.ranked}
        best = [ranked.pool for ranked in decision.ranked] if best is None else [
            pool for pool in best if pool.service_host in backends]
        if not best:
            return None, decision, name
    assert best  # there is at least one request
    return best[0], decision, None


def may_come(wanted: Requests, pools: Sequence[pool_capacity.Pool], filters: Mapping[str, filtering.Filter]) -> bool:
    """Whether a backend could take all the requests if it were up."""
    able = [waiting.coming(request, pools, filters) | {
        one.pool.service_host for one in choose.choose(request, pools, filters, ()).ranked} for _, request in wanted]
    return not pools or bool(functools.reduce(set.intersection, able))


def decide(scheduler: "SchedulerManager", job: db.Row, found: Sequence[pool_capacity.Pool]) -> None:
    """Choose the pool of a group out of those found, which completes its creation."""
    with scheduler.db.read() as tx:
        group = groups.find(tx, job.resource_id)
        wanted = requests(tx, group) if group is not None else ()
    if group is None or not wanted:
        unplaced.forget(scheduler, job)
        return
    refused = refusal(group)
    pool, decision, unfit = place(wanted, found, scheduler.filters, scheduler.weighers, scheduler.random)
    if pool is not None and refused is None:
        with scheduler.db.write() as tx:
            begun = scheduler.events.subjects(tx, job) if scheduler.events is not None else ()
            if GROUP.finish(tx, job, host=pool.name) and begun:
                scheduler.events.record(tx, job, pool.service_host, "start", begun)
                scheduler.events.ended(tx, job, pool.service_host, begun)
            job_changes.keep_decision(tx, job.id, decision.plain())
        if begun:
            scheduler.events.send_soon()
        LOG.info("group %s was placed on %s", group.id, pool.name)
        return
    if refused is None and may_come(wanted, found, scheduler.filters) and unplaced.wait(scheduler, job, decision):
        return
    why = waiting.reason(job, decision, scheduler.conf.scheduler_wait_for_backends)
    reason = errors.Reason(refused) if refused else errors.Reason.joined(f"none suits volumes of type {unfit}", why)
    LOG.warning("no backend for group %s: %s", group.id, reason)
    with scheduler.db.write() as tx:
        if unplaced.end(tx, scheduler.conf, job, reason, unplaced.none_found(reason)):
            job_changes.keep_decision(tx, job.id, decision.plain())
