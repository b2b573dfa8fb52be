"""Where a request goes: which pools can take it, which of them is best, and why each of the others cannot."""

import dataclasses
import datetime
import random

from stevedore import driver
from stevedore import exception as stevedore_errors

from cinder_lite import errors
from cinder_lite.jobs import pool_capacity
from cinder_lite.scheduler import filters as filtering
from cinder_lite.scheduler import weighers as weighing

FILTER_ENTRY_POINTS = "cinder_lite.scheduler.filters"
WEIGHER_ENTRY_POINTS = "cinder_lite.scheduler.weighers"


class UnknownName(errors.Misconfigured):
    """A filter or weigher that the options name and nobody has; the text says which there are."""


@dataclasses.dataclass(frozen=True)
class Refusal:
    """A pool that cannot take the request, the first filter that said so, and its reason."""

    pool: str
    filter: str
    reason: str


@dataclasses.dataclass(frozen=True)
class Decision:
    """The pools that can take a request, the best first, and the reasons of the others."""

    request: pool_capacity.Request
    ranked: tuple[weighing.Ranked, ...]
    refusals: tuple[Refusal, ...]

    def plain(self):
        """The decision as lists, dicts, numbers and texts, ready for JSON."""
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

    def explain(self):
        """The decision as lines of text."""
        return explain(self.plain())

    def explain_to_members(self):
        """The decision as lines of text without names and numbers of the cloud's inside."""
        return explain(for_members(self.plain()))


def choose(request, pools, filters, weighers, rng=None, stochastic=False):
    """Filter and weigh the pools; returns a Decision, the same for the same arguments.

    `filters` is a mapping from name to function (`load_filters`), `weighers` a sequence (`load_weighers`). `rng`
    (random.Random) serves ChanceWeigher and the stochastic order; without one the same numbers are drawn each time.
    """
    checks = {**filtering.ALWAYS, **filters}
    rng = rng or random.Random(0)
    fit, refusals = [], []
    for pool in pools:
        refusal = _refusal(pool, request, checks)
        if refusal:
            refusals.append(refusal)
        else:
            fit.append(pool)
    order = weighing.weigh_stochastically if stochastic else weighing.weigh
    return Decision(request, tuple(order(fit, request, weighers, rng)), tuple(refusals))


def for_members(plain):
    """The plain form with `reasons` in members' terms in the place of pools; None for None."""
    if plain is None:
        return None
    reasons = [] if plain["ranked"] else [filtering.FOR_MEMBERS.get(one["filter"], filtering.OTHER)
                                          for one in plain["refusals"]] or [filtering.NO_STORAGE]
    return {**plain, "ranked": [], "refusals": [], "reasons": list(dict.fromkeys(reasons))}


def explain(plain):
    """Lines of text for a decision in its plain form, as it comes back from the database."""
    ranked, refusals = plain["ranked"], plain["refusals"]
    waiting = _waiting(plain.get("waiting"))
    where = f" in zone {' or '.join(plain['zones'])}" if plain["zones"] else ""
    asked = f"{plain['operation']}: {plain['size']} GiB asked{where}"
    if "reasons" in plain:
        return [*waiting, f"{asked}; {'; '.join(plain['reasons']) or filtering.STORAGE}"]
    if not ranked and not refusals:
        return [*waiting, f"{asked}; no backend has reported a pool yet"]
    count = len(ranked) + len(refusals)
    lines = [*waiting, f"{asked}; {len(ranked) or 'none'} of {count} pool{'s' if count > 1 else ''} can take it"]
    for place, one in enumerate(ranked, 1):
        lines.append(f"{place}. {one['pool']}: weight {one['weight']:.3g}{_because(one['weighers'])}")
    lines.extend(f"{one['pool']}: refused by {one['filter']}: {one['reason']}" for one in refusals)
    return lines


def _waiting(facts):
    if not facts:
        return []
    since = datetime.datetime.fromisoformat(facts["since"])
    until = since + datetime.timedelta(seconds=facts["seconds"])
    return [f"waits for a backend that is starting or down since {since:%Y-%m-%d %H:%M:%S}, until {until:%H:%M:%S} at the latest"]


def load_filters(names):
    """The filters of these names, in this order: a dict from name to function. Raises UnknownName."""
    return {
        name: filtering.FILTERS.get(name) or _plugin(FILTER_ENTRY_POINTS, name, filtering.FILTERS) for name in names
    }


def load_weighers(names, multipliers=None):
    """The weighers of these names: a tuple of Weigher. Raises UnknownName.

    `multipliers` maps names to numbers and replaces what a weigher has by itself.
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
        what = f"'{name}' is not known; there are {', '.join(known)}"
        raise UnknownName(f"{what}, and what the entry point {namespace} offers") from problem
