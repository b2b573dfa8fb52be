"""Shrinks a plan whose run broke a rule to one with fewer faults, clients and requests that breaks the same rule."""

import dataclasses
import re


def rule(found):
    """The rule that a run broke, without ids, numbers and names; None if it broke none."""
    return re.sub(r"[0-9a-f-]{8,}|\d+|'[^']*'", "*", found["broken"])[:60] if "broken" in found else None


def shrink(plan, found, run, tries=60):
    """The smallest plan that was found with so many runs, and what its run found."""
    broken = rule(found)
    again = True
    while again:
        again = False
        for smaller in _smaller(plan):
            if tries == 0:
                return plan, found
            tries -= 1
            if rule(other := run(smaller)) == broken:
                plan, found, again = smaller, other, True
                break
    return plan, found


def _smaller(plan):
    """Plans with less, those with much less first."""
    faults, kinds = plan.faults, plan.kinds
    if plan.clients > 1:
        yield dataclasses.replace(plan, clients=1)
    if plan.requests > 5:
        yield dataclasses.replace(plan, requests=plan.requests // 2)
    if len(faults) > 1:
        yield from (dataclasses.replace(plan, faults=part) for part in (
            faults[:len(faults) // 2], faults[len(faults) // 2:]))
    yield from (dataclasses.replace(plan, faults=(*faults[:at], *faults[at + 1:])) for at in range(len(faults)))
    if plan.clients > 2:
        yield dataclasses.replace(plan, clients=plan.clients - 1)
    if len(kinds) > 2:
        yield from (dataclasses.replace(plan, kinds=part) for part in (
            kinds[:len(kinds) // 2], kinds[len(kinds) // 2:]))
    if plan.requests > 2:
        yield dataclasses.replace(plan, requests=plan.requests - max(1, plan.requests // 8))
