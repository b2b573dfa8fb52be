"""Loads the configured filters and weighers: those of this package by name, others by their entry points."""

import dataclasses
import typing
from collections.abc import Iterable, Mapping

from cinder_lite import errors
from cinder_lite.conf import plugins
from cinder_lite.scheduler import backend_functions, filters, hint_filters, weighers
from cinder_lite.scheduler.weighers import Weigher

FILTER_ENTRY_POINTS = "cinder_lite.scheduler.filters"
WEIGHER_ENTRY_POINTS = "cinder_lite.scheduler.weighers"

FILTERS: dict[str, filters.Filter] = {
    "AvailabilityZoneFilter": filters.availability_zone,
    "CapacityFilter": filters.capacity,
    "CapabilitiesFilter": filters.capabilities,
    "DriverFilter": backend_functions.is_admitted,
    "SameBackendFilter": hint_filters.same_backend,
    "DifferentBackendFilter": hint_filters.different_backend,
    "InstanceLocalityFilter": hint_filters.instance_locality,
    "JsonFilter": hint_filters.json_filter,
    "IgnoreAttemptedHostsFilter": filters.ignore_attempted_hosts,
}
WEIGHERS = {one.name: one for one in (
    Weigher("CapacityWeigher", weighers.capacity, 1.0),
    Weigher("AllocatedCapacityWeigher", weighers.allocated_capacity, -1.0),
    Weigher("VolumeNumberWeigher", weighers.volume_number, -1.0),
    Weigher("GoodnessWeigher", backend_functions.goodness, 1.0),
    Weigher("ChanceWeigher", weighers.chance, 1.0))}


class UnknownName(errors.Misconfigured):
    """A configured filter or weigher that does not exist; the text lists the existing ones."""


def load_filters(names: Iterable[str]) -> dict[str, filters.Filter]:
    """The filters with these names, in this order: {name: function}. Raises UnknownName."""
    return {name: FILTERS.get(name) or _added(FILTER_ENTRY_POINTS, name, FILTERS) for name in names}


def load_weighers(names: Iterable[str], multipliers: Mapping[str, float] | None = None) -> tuple[Weigher, ...]:
    """The weighers with these names. Raises UnknownName.

    `multipliers` maps names to numbers that replace the weighers' own multipliers.
    """
    multipliers = multipliers or {}
    found = []
    for name in names:
        weigher = WEIGHERS.get(name)
        if weigher is None:
            weigher = Weigher(name, _added(WEIGHER_ENTRY_POINTS, name, WEIGHERS))
        found.append(dataclasses.replace(weigher, multiplier=multipliers.get(name, weigher.multiplier)))
    return tuple(found)


def _added(namespace: str, name: str, known: Iterable[str]) -> typing.Any:
    if name not in plugins.names(namespace):
        raise UnknownName(f"'{name}' does not exist; there are {', '.join(known)}, and the entry points of {namespace}")
    return plugins.load(namespace, name)
