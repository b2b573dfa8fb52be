"""Chooses the pool of a group: on a backend that can take volumes of all its types."""

import functools
import random
from collections.abc import Mapping, Sequence

from cinder_lite import db
from cinder_lite.db import groups, types
from cinder_lite.jobs import pool_capacity
from cinder_lite.scheduler import choose, waiting
from cinder_lite.scheduler import filters as filtering
from cinder_lite.scheduler import weighers as weighing

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
    return [(one.name, pool_capacity.Request(size=0, operation="create a group", extra_specs=one.extra_specs,
                                     zones=(group.availability_zone,))) for one in found if one is not None]


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
