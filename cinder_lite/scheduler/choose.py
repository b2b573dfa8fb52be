"""Chooses pools for a request: filters and weighs them, and keeps the reason of each refusal."""

import dataclasses
import random
import typing
from collections.abc import Iterable, Mapping, Sequence

from cinder_lite.concurrency import randomness
from cinder_lite.jobs import pool_capacity
from cinder_lite.scheduler import filters as filtering
from cinder_lite.scheduler import weighers as weighing


@dataclasses.dataclass(frozen=True)
class Refusal:
    """A pool that cannot take the request, the first filter that refused it, and the reason."""

    pool: str
    filter: str
    reason: str


@dataclasses.dataclass(frozen=True)
class Decision:
    """The pools that can take a request, best first, and the refusals of the others."""

    request: pool_capacity.Request
    ranked: tuple[weighing.Ranked, ...]
    refusals: tuple[Refusal, ...]

    def plain(self) -> dict:
        """The decision as JSON data."""
        request = self.request
        return {
            "operation": request.operation, "size": request.size, "zones": list(request.zones),
            "ranked": [{"pool": one.pool.name, "weight": one.weight,
                        "weighers": [dataclasses.asdict(found) for found in one.details]} for one in self.ranked],
            "refusals": [dataclasses.asdict(refusal) for refusal in self.refusals],
        }


def choose(request: pool_capacity.Request, pools: Iterable[pool_capacity.Pool], filters: Mapping[str, filtering.Filter],
           weighers: Sequence[weighing.Weigher], rng: random.Random | None = None,
           order: typing.Callable[..., Sequence[weighing.Ranked]] = weighing.weigh) -> Decision:
    """Filter and weigh the pools. Returns a Decision, the same for the same arguments.

    `filters` and `weighers` are loaded by scheduler/plugins.py. `rng` is used by ChanceWeigher and for the stochastic
    order; the default has a fixed seed. `order` is weighers.weigh or stochastic.weigh.
    """
    checks = {**filtering.ALWAYS, **filters}
    rng = rng or randomness.generator(0)
    fit, refusals = [], []
    for pool in pools:
        refusal = _refusal(pool, request, checks)
        if refusal:
            refusals.append(refusal)
        else:
            fit.append(pool)
    return Decision(request, tuple(order(fit, request, weighers, rng)), tuple(refusals))


def _refusal(pool, request, checks):
    for name, check in checks.items():
        reason = check(pool, request)
        if reason is not None:
            return Refusal(pool.name, name, reason)
    return None
