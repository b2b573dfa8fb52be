"""Chooses pools for a request: filters and weighs them, and keeps the reason of each refusal."""

import dataclasses
import datetime
import random
import typing
from collections.abc import Iterable, Mapping, Sequence

from stevedore import driver
from stevedore import exception as stevedore_errors

from cinder_lite import errors
from cinder_lite.concurrency import randomness
from cinder_lite.jobs import pool_capacity
from cinder_lite.scheduler import filters as filtering
from cinder_lite.scheduler import weighers as weighing

FILTER_ENTRY_POINTS = "cinder_lite.scheduler.filters"
WEIGHER_ENTRY_POINTS = "cinder_lite.scheduler.weighers"


class UnknownName(errors.Misconfigured):
    """A configured filter or weigher that does not exist; the text lists the existing ones."""


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
            "operation": request.operation,
            "size": request.size,
            "zones": list(request.zones),
            "ranked": [
                {
                    "pool": one.pool.name,
                    "weight": one.weight,
                    "weighers": [dataclasses.asdict(found) for found in one.details],
                }
                for one in self.ranked
            ],
            "refusals": [dataclasses.asdict(refusal) for refusal in self.refusals],
        }

    def explain(self) -> list[str]:
        """The decision as lines of text."""
        return explain(self.plain())

    def explain_to_members(self) -> list[str]:
        """The decision as lines of text without names and capacities of the cloud's infrastructure."""
        return explain(for_members(self.plain()))


def choose(request: pool_capacity.Request, pools: Iterable[pool_capacity.Pool], filters: Mapping[str, filtering.Filter],
           weighers: Sequence[weighing.Weigher], rng: random.Random | None = None,
           stochastic: bool = False) -> Decision:
    """Filter and weigh the pools. Returns a Decision, the same for the same arguments.

    `filters` are those of `load_filters`, `weighers` those of `load_weighers`. `rng` is used by ChanceWeigher and for
    the stochastic order; the default has a fixed seed.
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
    order = weighing.weigh_stochastically if stochastic else weighing.weigh
    return Decision(request, tuple(order(fit, request, weighers, rng)), tuple(refusals))


@typing.overload
def for_members(plain: dict) -> dict: ...


@typing.overload
def for_members(plain: None) -> None: ...


def for_members(plain: dict | None) -> dict | None:
    """The plain form of a decision with `reasons` for members in the place of pools; None for None."""
    if plain is None:
        return None
    reasons = [] if plain["ranked"] else [filtering.FOR_MEMBERS.get(one["filter"], filtering.OTHER)
                                          for one in plain["refusals"]] or [filtering.NO_STORAGE]
    return {**plain, "ranked": [], "refusals": [], "reasons": list(dict.fromkeys(reasons))}


def explain(plain: dict) -> list[str]:
    """Lines of text for a decision in its plain form, as the database has it."""
    ranked, refusals = plain["ranked"], plain["refusals"]
    waiting = _waiting(plain.get("waiting"))
    where = f" in zone {' or '.join(plain['zones'])}" if plain["zones"] else ""
    requested = f"{plain['operation']}: {plain['size']} GiB requested{where}"
    if "reasons" in plain:
        return [*waiting, f"{requested}; {'; '.join(plain['reasons']) or filtering.STORAGE}"]
    if not ranked and not refusals:
        return [*waiting, f"{requested}; no backend has reported a pool yet"]
    count = len(ranked) + len(refusals)
    lines = [*waiting, f"{requested}; {len(ranked) or 'none'} of {count} pool{'s' if count > 1 else ''} can take it"]
    for place, one in enumerate(ranked, 1):
        lines.append(f"{place}. {one['pool']}: weight {one['weight']:.3g}{_because(one['weighers'])}")
    lines.extend(f"{one['pool']}: refused by {one['filter']}: {one['reason']}" for one in refusals)
    return lines


def _waiting(facts):
    if not facts:
        return []
    since = datetime.datetime.fromisoformat(facts["since"])
    until = since + datetime.timedelta(seconds=facts["seconds"])
    return [f"waiting since {since:%Y-%m-%d %H:%M:%S} for a backend that is starting or down, until "
            f"{until:%H:%M:%S} at the latest"]


def load_filters(names: Iterable[str]) -> dict[str, filtering.Filter]:
    """The filters with these names, in this order: {name: function}. Raises UnknownName."""
    return {
        name: filtering.FILTERS.get(name) or _plugin(FILTER_ENTRY_POINTS, name, filtering.FILTERS) for name in names
    }


def load_weighers(names: Iterable[str], multipliers: Mapping[str, float] | None = None) -> tuple[weighing.Weigher, ...]:
    """The weighers with these names. Raises UnknownName.

    `multipliers` maps names to numbers that replace the weighers' own multipliers.
    """
    multipliers = multipliers or {}
    found = []
    for name in names:
        weigher = weighing.WEIGHERS.get(name)
        if weigher is None:
            weigher = weighing.Weigher(name, _plugin(WEIGHER_ENTRY_POINTS, name, weighing.WEIGHERS))
        found.append(dataclasses.replace(weigher, multiplier=multipliers.get(name, weigher.multiplier)))
    return tuple(found)


def _refusal(pool, request, checks):
    for name, check in checks.items():
        reason = check(pool, request)
        if reason is not None:
            return Refusal(pool.name, name, reason)
    return None


def _because(found):
    parts = []
    for one in found:
        value = "unknown" if one["value"] is None else f"{one['value']:.6g}"
        parts.append(f"{one['weigher']} {one['weight']:.3g} for {value}" + (f" ({one['note']})" if one["note"] else ""))
    return f" ({'; '.join(parts)})" if parts else ""


def _plugin(namespace, name, known):
    try:
        return driver.DriverManager(namespace, name).driver
    except stevedore_errors.NoMatches as problem:
        raise UnknownName(f"'{name}' does not exist; there are {', '.join(known)}, and the entry points of {namespace}"
                          ) from problem
