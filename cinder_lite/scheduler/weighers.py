"""The scheduler's weighers: measures of pools, normalized to 0-1 over the candidates, multiplied and summed.

A measure takes (pool, request, rng) and returns (number, note): the number is None if it is unknown, and the note,
usually empty, is kept with the decision.
"""

import dataclasses
import math
import random
import typing
from collections.abc import Sequence

from cinder_lite.jobs.pool_capacity import Pool, Request, virtual_free

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
    found = pool.known.get(request.thin)
    if found is None:
        free = virtual_free(pool, request.thin)
        found = (free, "") if free is not None else (None, "free capacity is infinite or unknown")
        pool.known[request.thin] = found
    return found


def allocated_capacity(pool: Pool, request: Request, rng: random.Random) -> Measured:
    """GiB allocated in the pool by this service."""
    return pool.allocated_gb, ""


def volume_number(pool: Pool, request: Request, rng: random.Random) -> Measured:
    """The number of volumes in the pool."""
    return pool.volume_count, ""


def chance(pool: Pool, request: Request, rng: random.Random) -> Measured:
    """A random number."""
    return rng.random(), ""


def weigh(pools: Sequence[Pool], request: Request, weighers: Sequence[Weigher], rng: random.Random,
          most: int | None = None) -> list[Ranked]:
    """The pools with their weights, best first, at most so many; equal ones keep their order."""
    columns = [_column(pools, request, weigher, rng) for weigher in weighers]
    weights = [sum(found) for found in zip(*([share * weigher.multiplier for _, share, _ in column]
                                             for weigher, column in zip(weighers, columns, strict=True)), strict=True)]
    weights = weights or [0] * len(pools)
    best = sorted(range(len(pools)), key=weights.__getitem__, reverse=True)[:most]
    return [Ranked(pools[index], weights[index], _details(weighers, columns, index)) for index in best]


def _column(pools, request, weigher, rng):
    """(value, share, note) of each pool."""
    found = [weigher.measure(pool, request, rng) for pool in pools]
    values = [value if value is not None and math.isfinite(value) else None for value, _ in found]
    shares = _shares(values, weigher.multiplier)
    return list(zip(values, shares, (note for _, note in found), strict=True))


def _details(weighers, columns, index):
    return tuple(Weighed(weigher.name, column[index][0], column[index][1], column[index][1] * weigher.multiplier,
                         column[index][2]) for weigher, column in zip(weighers, columns, strict=True))


def _shares(values, multiplier):
    """The values normalized to 0-1, all 0 if they are equal; an unknown one is the worst, whatever the sign."""
    known = [value for value in values if value is not None]
    unknown = min([-1, *known]) if multiplier >= 0 else max([0, *known]) + 1
    values = [unknown if value is None else value for value in values]
    low, high = min(values, default=0), max(values, default=0)
    return [(value - low) / (high - low) if high > low else 0.0 for value in values]
