"""Where a group goes: to a backend that suits volumes of all its types."""

import functools

from cinder_lite.db import groups, types
from cinder_lite.jobs import pool_capacity
from cinder_lite.scheduler import choose, waiting


def refusal(group):
    """Why no backend at all takes such a group, or None."""
    for key in groups.REPLICATED:
        if groups.is_set(group.group_specs, key):
            return f"no backend replicates, which {key} asks for"
    return None


def requests(tx, group):
    """What is asked for each of the group's types: [(its name, Request)]."""
    found = [types.find(tx, id) for id in group.volume_types["ids"]]
    return [(one.name, pool_capacity.Request(size=0, operation="create a group", extra_specs=one.extra_specs,
                                     zones=(group.availability_zone,))) for one in found if one is not None]


def place(wanted, pools, filters, weighers, rng):
    """(the pool that suits all the requests best, or None; the last decision; the type for which there was no pool)."""
    best = None
    for name, request in wanted:
        decision = choose.choose(request, pools, filters, weighers, rng)
        backends = {ranked.pool.service_host for ranked in decision.ranked}
        best = [ranked.pool for ranked in decision.ranked] if best is None else [
            pool for pool in best if pool.service_host in backends]
        if not best:
            return None, decision, name
    return best[0], decision, None


def may_come(wanted, pools, filters):
    """Whether a backend could take all the requests, were it up."""
    able = [waiting.coming(request, pools, filters) | {
        one.pool.service_host for one in choose.choose(request, pools, filters, ()).ranked} for _, request in wanted]
    return not pools or bool(functools.reduce(set.intersection, able))
