"""Chooses pools for a request: filters and weighs them, and keeps the reason of each refusal."""

import dataclasses
import random
from collections.abc import Iterable, Mapping, Sequence

from cinder_lite.concurrency import randomness
from cinder_lite.jobs import pool_capacity
from cinder_lite.scheduler import filters as filtering
from cinder_lite.scheduler import weighers as weighing

#: Pools that the record of a placement names, best first, and the refusals that it names.
LISTED = 32
#: Filters that look neither at the volume itself nor at hints: a pool keeps their answers, for this many kinds of
#: requests.
FIXED = {*filtering.ALWAYS.values(), filtering.availability_zone, filtering.capacity, filtering.capabilities}
KEPT = 64


@dataclasses.dataclass(frozen=True)
class Refusal:
    """A pool that cannot take the request, the first filter that refused it, and the reason."""

    pool: str
    filter: str
    reason: str


@dataclasses.dataclass(frozen=True)
class Decision:
    """The pools that can take a request, best first, and the refusals of the others; `unlisted` more can take it."""

    request: pool_capacity.Request
    ranked: tuple[weighing.Ranked, ...]
    refusals: tuple[Refusal, ...]
    unlisted: int = 0

    def plain(self) -> dict:
        """The decision as JSON data; that of a placement with at most LISTED refusals."""
        request, listed = self.request, self.refusals[:LISTED] if self.ranked else self.refusals
        more = {"ranked": self.unlisted, "refusals": len(self.refusals) - len(listed)}
        ranked = [{"pool": one.pool.name, "weight": one.weight, "weighers": [
            dataclasses.asdict(found) for found in one.details]} for one in self.ranked]
        return {"operation": request.operation, "size": request.size, "zones": list(request.zones), "ranked": ranked,
                "refusals": [dataclasses.asdict(refusal) for refusal in listed],
                **({"unlisted": more} if any(more.values()) else {})}


def choose(request: pool_capacity.Request, pools: Iterable[pool_capacity.Pool], filters: Mapping[str, filtering.Filter],
           weighers: Sequence[weighing.Weigher], rng: random.Random | None = None, most: int | None = None) -> Decision:
    """Filter and weigh the pools. Returns a Decision with at most so many ranked, the same for the same arguments.

    `filters` and `weighers` are loaded by scheduler/plugins.py. `rng` is used by ChanceWeigher; the default has a fixed
    seed.
    """
    checks = {**filtering.ALWAYS, **filters}
    rng = rng or randomness.generator(0)
    key = None if request.hints or not FIXED.issuperset(checks.values()) else (*checks.values(), request.kind)
    fit, refusals = [], []
    for pool in pools:
        if (refusal := pool.known.get(key, False)) is False:
            refusal = _refusal(pool, request, checks, key)
        if refusal:
            refusals.append(refusal)
        else:
            fit.append(pool)
    ranked = tuple(weighing.weigh(fit, request, weighers, rng, most))
    return Decision(request, ranked, tuple(refusals), len(fit) - len(ranked))


def _refusal(pool, request, checks, key):
    found = next((Refusal(pool.name, name, reason) for name, check in checks.items()
                  if (reason := check(pool, request)) is not None), None)
    if key is not None:
        if len(pool.known) >= KEPT:
            pool.known.clear()
        pool.known[key] = found
    return found
