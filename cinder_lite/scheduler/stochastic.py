"""Weighs pools in random order, with probabilities by weight."""

import random
from collections.abc import Sequence

from cinder_lite.jobs.pool_capacity import Pool, Request
from cinder_lite.scheduler.weighers import Ranked, Weigher, measure_all


def weigh(pools: Sequence[Pool], request: Request, weighers: Sequence[Weigher], rng: random.Random) -> list[Ranked]:
    """The pools in random order: each position is drawn from the remaining pools, with probabilities by weight.

    The weight is the sum of measured value x multiplier, not normalized, so that twice the capacity is twice the
    probability. If a sum is negative, all are raised until the lowest is 0. An unknown value counts as the worst.
    """
    details = measure_all(pools, request, weighers, rng)
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
