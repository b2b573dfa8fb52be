"""Which pools can take a request: small functions that return None, or the reason why a pool cannot.

FILTERS has those that the option scheduler_default_filters names, ALWAYS those that no option can switch off. A filter
from elsewhere (entry point `cinder_lite.scheduler.filters`) is the same kind of function.
"""

import math
import uuid

from cinder_lite.jobs import pool_capacity
from cinder_lite.scheduler import expressions, extra_specs, json_query


def service(pool, request):
    """The pool's volume service is up, enabled and not frozen, and its backend works and has reported what it holds."""
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


def place(pool, request):
    """The place that a source, a group or the volume itself fixes."""
    wanted, here = None, None
    if request.only_pool is not None:
        wanted, here = request.only_pool, pool.name
    elif request.only_backend is not None:
        wanted, here = request.only_backend, pool.service_host
    if wanted == here:
        return None
    return f"only {wanted} will do" + (f": {request.only_because}" if request.only_because else "")


def ignore_attempted_hosts(pool, request):
    """Not a pool or backend that was tried already."""
    if pool.name in request.excluded or pool.service_host in request.excluded:
        return "it was tried already and failed"
    return None


def availability_zone(pool, request):
    """In one of the zones that the request asks for, or else the volume type."""
    zones = request.zones or _words(request.extra_specs.get("RESKEY:availability_zones"))
    if not zones or pool.availability_zone in zones:
        return None
    return f"asked for zone {' or '.join(zones)}, the pool is in {pool.availability_zone}"


def capacity(pool, request):
    """Room for the size that is asked (see `pools.bounds`)."""
    bounds = pool_capacity.bounds(pool, request)
    if bounds.admit(pool):
        return None
    if bounds.refused:
        return f"asked {request.size} GiB, {bounds.refused}"
    thin = request.thin and pool.thin
    room, free, ratio = pool_capacity.virtual_free(pool, thin), pool_capacity.amount(pool.free_gb), pool_capacity.ratio(pool, thin)
    text = f"asked {request.size} GiB, free {_gib(room)} of {_gib(pool_capacity.amount(pool.total_gb))}"
    if room >= free * ratio:
        return text if ratio == 1 else f"{text} ({_gib(free)} really free, over-subscribed {ratio:.4g} times)"
    text += f" ({_gib(pool.provisioned_gb)} of at most {_gib(bounds.provisioned_limit)} provisioned"
    if pool_capacity.reserved(pool):
        text += f", {_gib(pool_capacity.reserved(pool))} in reserve"
    return text + (")" if ratio == 1 else f", over-subscribed {ratio:.4g} times)")


def capabilities(pool, request):
    """What the type's extra specs ask for, and growing while attached where that is asked."""
    if request.operation == "extend" and request.attached and not pool.online_extend:
        return "the volume is attached, and the backend can extend only detached volumes"
    if not request.extra_specs:
        return None
    return extra_specs.unmet(pool.facts(), request.extra_specs)


def driver(pool, request):
    """What the backend's own filter_function says."""
    text = pool.capabilities.get("filter_function")
    if text is None or not str(text).strip():
        return None
    try:
        value = expressions.evaluate(str(text), pool_capacity.variables(pool, request))
    except expressions.ExpressionError as problem:
        return f"its filter_function '{text}' has no value: {problem}"
    return None if value else f"its filter_function '{text}' is not true"


def same_backend(pool, request):
    """The hint same_host: where at least one of the named volumes is."""
    return _affinity(pool, request, "same_host", wanted=True)


def different_backend(pool, request):
    """The hint different_host: where none of the named volumes is."""
    return _affinity(pool, request, "different_host", wanted=False)


def instance_locality(pool, request):
    """The hint local_to_instance: on the hypervisor of the named server."""
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


def json_filter(pool, request):
    """The hint query."""
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

#: What members are told when a filter refuses: their own terms, whatever the pool.
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
#: Of other filters, and where there is no pool at all.
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


def _words(text):
    return tuple(word.strip() for word in (text or "").split(",") if word.strip())


def _gib(number):
    """GiB with at most two decimals, rounded down so that a refusal never shows as much as was asked."""
    return "an unknown total" if number is None else f"{math.floor(number * 100) / 100:.15g} GiB"
