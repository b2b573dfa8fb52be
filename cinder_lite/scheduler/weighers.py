"""The scheduler's weighers: measures of pools, normalized to 0-1 over the candidates, multiplied and summed.

A measure takes (pool, request, rng) and returns (number, note): the number is None if it is unknown, and the note,
usually empty, is kept with the decision. Further measures are found by the entry point
`cinder_lite.scheduler.weighers`.
"""

import dataclasses
import math
import random
import typing
from collections.abc import Sequence

from cinder_lite.jobs.pool_capacity import Pool, Request, variables, virtual_free
from cinder_lite.scheduler import expressions

#: (the measured number, None if unknown; a note)
Measured = tuple[float | None, str]


@dataclasses.dataclass(frozen=True)
class Weigher:
    """A measure with its configured name; a negative multiplier prefers pools with low values."""

    name: str
    measure: typing.Callable[[Pool, Request, random.Random], Measured]
    multiplier: float = 1.0


@dataclasses.dataclass(frozen=True)
class Weighed:
    """One weigher's result for one pool: `value` as measured, `share` in 0-1, `weight` = share x multiplier."""

    weigher: str
    value: float | None
    share: float
    weight: float
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Ranked:
    """A pool that can take the request, its weight (higher is better) and the weighers' results."""

    pool: Pool
    weight: float
    details: tuple[Weighed, ...] = ()


def capacity(pool: Pool, request: Request, rng: random.Random) -> Measured:
    """GiB that can still be provisioned."""
    free = virtual_free(pool, request.thin)
    return (free, "") if free is not None else (None, "free capacity is infinite or unknown")


def allocated_capacity(pool: Pool, request: Request, rng: random.Random) -> Measured:
    """GiB allocated in the pool by this service."""
    return pool.allocated_gb, ""


def volume_number(pool: Pool, request: Request, rng: random.Random) -> Measured:
    """The number of volumes in the pool."""
    return pool.volume_count, ""


def goodness(pool: Pool, request: Request, rng: random.Random) -> Measured:
    """The backend's goodness_function, 0 (poor) to 100 (perfect); true is 100, anything else is 0."""
    text = pool.capabilities.get("goodness_function")
    if text is None or not str(text).strip():
        return 0, "it has no goodness_function"
    try:
        value = expressions.evaluate(str(text), variables(pool, request))
    except expressions.ExpressionError as problem:
        return 0, f"goodness_function '{text}' has no value: {problem}"
    if isinstance(value, bool):
        return (100, "") if value else (0, "")
    if isinstance(value, str) or not 0 <= value <= 100:
        return 0, f"goodness_function '{text}' gave {value!r}, not a number from 0 to 100"
    return value, ""


def chance(pool: Pool, request: Request, rng: random.Random) -> Measured:
    """A random number."""
    return rng.random(), ""


WEIGHERS = {weigher.name: weigher for weigher in (
    Weigher("CapacityWeigher", capacity), Weigher("AllocatedCapacityWeigher", allocated_capacity, -1.0),
    Weigher("VolumeNumberWeigher", volume_number, -1.0), Weigher("GoodnessWeigher", goodness),
    Weigher("ChanceWeigher", chance))}


def weigh(pools: Sequence[Pool], request: Request, weighers: Sequence[Weigher],
          rng: random.Random) -> list[Ranked]:
    """The pools with their weights, best first; equal ones keep their order."""
    details = _details(pools, request, weighers, rng)
    ranked = [Ranked(pool, sum(found.weight for found in of_pool), of_pool)
              for pool, of_pool in zip(pools, details, strict=True)]
    return sorted(ranked, key=lambda one: -one.weight)


def weigh_stochastically(pools: Sequence[Pool], request: Request, weighers: Sequence[Weigher],
                         rng: random.Random) -> list[Ranked]:
    """The pools in random order: each position is drawn from the remaining pools, with probabilities by weight.

    The weight is the sum of measured value x multiplier, not normalized, so that twice the capacity is twice the
    probability. If a sum is negative, all are raised until the lowest is 0. An unknown value counts as the worst.
    """
    details = _details(pools, request, weighers, rng)
    sums = [0.0] * len(pools)
    for index, weigher in enumerate(weighers):
        values = [of_pool[index].value for of_pool in details]
        worst = 0 if weigher.multiplier >= 0 else max((value for value in values if value is not None), default=0)
        for at, value in enumerate(values):
            sums[at] += (worst if value is None else value) * weigher.multiplier
    lowest = min([0, *sums])
    left = [Ranked(pool, total - lowest, of_pool) for pool, total, of_pool in zip(pools, sums, details, strict=True)]
    drawn = []
    while left:
        weights = [one.weight for one in left]
        index = rng.choices(range(len(left)), weights)[0] if sum(weights) > 0 else rng.randrange(len(left))
        drawn.append(left.pop(index))
    return drawn


def _details(pools, request, weighers, rng):
    """For each pool a tuple with one Weighed for each weigher."""
    columns = []
    for weigher in weighers:
        found = [weigher.measure(pool, request, rng) for pool in pools]
        values = [value if value is not None and math.isfinite(value) else None for value, _ in found]
        shares = _shares(values, weigher.multiplier)
        columns.append([Weighed(weigher.name, value, share, share * weigher.multiplier, note)
                        for value, share, (_, note) in zip(values, shares, found, strict=True)])
    return list(zip(*columns, strict=True)) if columns else [()] * len(pools)


def _shares(values, multiplier):
    """The values normalized to 0-1, all 0 if they are equal; an unknown one is the worst, whatever the sign."""
    known = [value for value in values if value is not None]
    unknown = min([-1, *known]) if multiplier >= 0 else max([0, *known]) + 1
    values = [unknown if value is None else value for value in values]
    low, high = min(values, default=0), max(values, default=0)
    return [(value - low) / (high - low) if high > low else 0.0 for value in values]
