"""The scheduler's filters: functions that return None, or the reason why a pool cannot take a request.

FILTERS has those that scheduler_default_filters can name, ALWAYS those that no option disables. Further filters are
functions of the same form, found by the entry point `cinder_lite.scheduler.filters`.
"""

import math
import uuid
from collections.abc import Callable

from cinder_lite.jobs import pool_capacity
from cinder_lite.scheduler import expressions, extra_specs, json_query

#: None if the pool can take the request, else the reason why it cannot.
Filter = Callable[[pool_capacity.Pool, pool_capacity.Request], str | None]


def service(pool: pool_capacity.Pool, request: pool_capacity.Request) -> str | None:
    """The pool's volume service is up, enabled and not frozen, and its backend works and has reported its capacity."""
    if not pool.service_up:
        return f"volume service {pool.service_host} is down: it has sent no heartbeat in time"
    if pool.service_disabled:
        return f"volume service {pool.service_host} is disabled"
    if pool.frozen:
        return f"volume service {pool.service_host} is frozen"
    if not pool.backend_up:
        return f"the backend is down: {pool.backend_reason or 'its driver gave no reason'}"
    if not pool.reported:
        return "the backend has not reported its capacity yet"
    return None


def place(pool: pool_capacity.Pool, request: pool_capacity.Request) -> str | None:
    """The pool or backend that a source, a group or the volume itself requires."""
    wanted, here = None, None
    if request.only_pool is not None:
        wanted, here = request.only_pool, pool.name
    elif request.only_backend is not None:
        wanted, here = request.only_backend, pool.service_host
    if wanted == here:
        return None
    return f"only {wanted} is possible" + (f": {request.only_because}" if request.only_because else "")


def ignore_attempted_hosts(pool: pool_capacity.Pool, request: pool_capacity.Request) -> str | None:
    """The pool or backend has not been tried already."""
    if pool.name in request.excluded or pool.service_host in request.excluded:
        return "it was tried already and failed"
    return None


def availability_zone(pool: pool_capacity.Pool, request: pool_capacity.Request) -> str | None:
    """The pool is in one of the zones of the request, or else of the volume type."""
    zones = request.zones or _list(request.extra_specs.get("RESKEY:availability_zones"))
    if not zones or pool.availability_zone in zones:
        return None
    return f"requested zone {' or '.join(zones)}, the pool is in {pool.availability_zone}"


def capacity(pool: pool_capacity.Pool, request: pool_capacity.Request) -> str | None:
    """Room for the size that is asked (see `pools.bounds`)."""
    bounds = pool_capacity.bounds(pool, request)
    if bounds.admit(pool):
        return None
    if bounds.refused:
        return f"requested {request.size} GiB, {bounds.refused}"
    thin = request.thin and pool.thin
    # The bounds refuse by numbers only where these are known.
    available, free = pool_capacity.virtual_free(pool, thin) or 0, pool_capacity.amount(pool.free_gb) or 0
    ratio = pool_capacity.ratio(pool, thin) or 1
    text = f"requested {request.size} GiB, free {_gib(available)} of {_gib(pool_capacity.amount(pool.total_gb))}"
    if available >= free * ratio:
        return text if ratio == 1 else f"{text} ({_gib(free)} really free, over-subscribed {ratio:.4g} times)"
    text += f" ({_gib(pool.provisioned_gb)} of at most {_gib(bounds.provisioned_limit)} provisioned"
    if pool_capacity.reserved(pool):
        text += f", {_gib(pool_capacity.reserved(pool))} in reserve"
    return text + (")" if ratio == 1 else f", over-subscribed {ratio:.4g} times)")


def capabilities(pool: pool_capacity.Pool, request: pool_capacity.Request) -> str | None:
    """The pool satisfies the type's extra specs, and can extend attached volumes if that is requested."""
    if request.operation == "extend" and request.attached and not pool.online_extend:
        return "the volume is attached, and the backend can extend only detached volumes"
    if not request.extra_specs:
        return None
    return extra_specs.unmet(pool.facts(), request.extra_specs)


def driver(pool: pool_capacity.Pool, request: pool_capacity.Request) -> str | None:
    """The backend's filter_function is true."""
    text = pool.capabilities.get("filter_function")
    if text is None or not str(text).strip():
        return None
    try:
        value = expressions.evaluate(str(text), pool_capacity.variables(pool, request))
    except expressions.ExpressionError as problem:
        return f"its filter_function '{text}' has no value: {problem}"
    return None if value else f"its filter_function '{text}' is not true"


def same_backend(pool: pool_capacity.Pool, request: pool_capacity.Request) -> str | None:
    """The hint same_host: at least one of the named volumes is on the backend."""
    return _affinity(pool, request, "same_host", wanted=True)


def different_backend(pool: pool_capacity.Pool, request: pool_capacity.Request) -> str | None:
    """The hint different_host: none of the named volumes is on the backend."""
    return _affinity(pool, request, "different_host", wanted=False)


def instance_locality(pool: pool_capacity.Pool, request: pool_capacity.Request) -> str | None:
    """The hint local_to_instance: the backend is on the hypervisor of the named server."""
    server = request.hints.get("local_to_instance")
    if not server:
        return None
    if not _is_uuid(server):
        return f"hint local_to_instance: '{server}' is not the id of a server"
    if not request.instance_host:
        return f"hint local_to_instance: the hypervisor of server {server} is not known"
    if pool.host == request.instance_host:
        return None
    return f"hint local_to_instance: server {server} is on {request.instance_host}, the pool on {pool.host}"


def json_filter(pool: pool_capacity.Pool, request: pool_capacity.Request) -> str | None:
    """The hint query is true for the pool."""
    query = request.hints.get("query")
    if not query:
        return None
    try:
        return None if json_query.passes(query, pool.state()) else "hint query is not true for this pool"
    except json_query.QueryError as problem:
        return f"hint query: {problem}"


FILTERS = {
    "AvailabilityZoneFilter": availability_zone,
    "CapacityFilter": capacity,
    "CapabilitiesFilter": capabilities,
    "DriverFilter": driver,
    "SameBackendFilter": same_backend,
    "DifferentBackendFilter": different_backend,
    "InstanceLocalityFilter": instance_locality,
    "JsonFilter": json_filter,
    "IgnoreAttemptedHostsFilter": ignore_attempted_hosts,
}

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

ALWAYS = {
    "ServiceFilter": service,
    "PlaceFilter": place,
    "IgnoreAttemptedHostsFilter": ignore_attempted_hosts,
}


def _affinity(pool, request, hint, wanted):
    named = request.hints.get(hint)
    if not named:
        return None
    volumes = list(named) if isinstance(named, list | tuple) else [named]
    for volume in volumes:
        if not _is_uuid(volume):
            return f"hint {hint}: '{volume}' is not the id of a volume"
    # A volume's host string has no pool where it came from a release without pools.
    here = [v for v in volumes if request.volume_hosts.get(v) in (pool.name, pool.service_host)]
    if bool(here) is wanted:
        return None
    return f"hint {hint}: " + ("none of the named volumes is here" if wanted else f"volume {here[0]} is here")


def _is_uuid(text):
    try:
        uuid.UUID(str(text))
    except ValueError:
        return False
    return True


def _list(text):
    return tuple(word.strip() for word in (text or "").split(",") if word.strip())


def _gib(number):
    """GiB with at most two decimals, rounded down so that a refusal never shows as much as was requested."""
    return "an unknown total" if number is None else f"{math.floor(number * 100) / 100:.15g} GiB"
