"""Explains decisions as lines of text, for administrators and for members of projects."""

import datetime
import typing

from cinder_lite import errors

#: The reason shown to members when a filter refuses, without details of pools.
FOR_MEMBERS = {
    "ServiceFilter": "the storage is not available at the moment",
    "PlaceFilter": "it cannot be anywhere else than its source, its group or it itself is",
    "AvailabilityZoneFilter": "the zone does not have such storage",
    "CapacityFilter": "there is not enough free capacity",
    "CapabilitiesFilter": "no storage offers what the volume type asks for",
    "SameBackendFilter": "the scheduler hint same_host cannot be followed",
    "DifferentBackendFilter": "the scheduler hint different_host cannot be followed",
    "InstanceLocalityFilter": "the scheduler hint local_to_instance cannot be followed",
    "JsonFilter": "the scheduler hint query cannot be followed",
}
#: The reasons shown to members for other filters, and without any pool.
OTHER = "the storage does not take such a volume at the moment"
NO_STORAGE = "there is no storage that could take it"
STORAGE = "there is storage that takes it"


@typing.overload
def for_members(plain: dict) -> dict: ...


@typing.overload
def for_members(plain: None) -> None: ...


def for_members(plain: dict | None) -> dict | None:
    """The plain form of a decision with `reasons` for members in the place of pools; None for None."""
    if plain is None:
        return None
    reasons = [] if plain["ranked"] else [FOR_MEMBERS.get(one["filter"], OTHER)
                                          for one in plain["refusals"]] or [NO_STORAGE]
    shown = {**plain, "ranked": [], "refusals": [], "reasons": list(dict.fromkeys(reasons))}
    return {name: value for name, value in shown.items() if name != "unlisted"}


def explain(plain: dict) -> list[str]:
    """Lines of text for a decision in its plain form, as the database has it."""
    ranked, refusals = plain["ranked"], plain["refusals"]
    waiting = _waiting(plain.get("waiting"))
    where = f" in zone {' or '.join(plain['zones'])}" if plain["zones"] else ""
    requested = f"{plain['operation']}: {plain['size']} GiB requested{where}"
    if "reasons" in plain:
        return [*waiting, f"{requested}; {'; '.join(plain['reasons']) or STORAGE}"]
    if not ranked and not refusals:
        return [*waiting, f"{requested}; no backend has reported a pool yet"]
    more = plain.get("unlisted", {"ranked": 0, "refusals": 0})
    able = len(ranked) + more["ranked"]
    count = able + len(refusals) + more["refusals"]
    lines = [*waiting, f"{requested}; {able or 'none'} of {count} pool{'s' if count > 1 else ''} can take it"]
    for place, one in enumerate(ranked, 1):
        lines.append(f"{place}. {one['pool']}: weight {one['weight']:.3g}{_because(one['weighers'])}")
    lines.extend(f"{one['pool']}: refused by {one['filter']}: {one['reason']}" for one in refusals)
    return lines


def reason(plain: dict) -> errors.Reason:
    """The decision as a reason: for members without names and capacities of the cloud's infrastructure."""
    return errors.Reason("; ".join(explain(plain)), "; ".join(explain(for_members(plain))))


def _waiting(facts):
    if not facts:
        return []
    since = datetime.datetime.fromisoformat(facts["since"])
    until = since + datetime.timedelta(seconds=facts["seconds"])
    return [f"waiting since {since:%Y-%m-%d %H:%M:%S} for a backend that is starting or down, until "
            f"{until:%H:%M:%S} at the latest"]


def _because(found):
    parts = []
    for one in found:
        value = "unknown" if one["value"] is None else f"{one['value']:.6g}"
        parts.append(f"{one['weigher']} {one['weight']:.3g} for {value}" + (f" ({one['note']})" if one["note"] else ""))
    return f" ({'; '.join(parts)})" if parts else ""
