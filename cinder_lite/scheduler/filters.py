"""The scheduler's filters: functions that return None, or the reason why a pool cannot take a request.

ALWAYS has those that no option disables; scheduler/plugins.py those that scheduler_default_filters can name.
"""

from collections.abc import Callable

from cinder_lite.jobs import pool_capacity, pool_facts
from cinder_lite.scheduler import extra_specs, lacking

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
    """Room for the size that is asked (see `pool_capacity.bounds`)."""
    bounds = pool_capacity.bounds(pool, request)
    return None if bounds.admit(pool) else lacking.capacity(pool, request, bounds)


def capabilities(pool: pool_capacity.Pool, request: pool_capacity.Request) -> str | None:
    """The pool satisfies the type's extra specs, and can extend attached volumes if that is requested."""
    if request.operation == "extend" and request.attached and not pool.online_extend:
        return "the volume is attached, and the backend can extend only detached volumes"
    if not request.extra_specs:
        return None
    return extra_specs.unmet(pool_facts.facts(pool), request.extra_specs)


ALWAYS = {"ServiceFilter": service, "PlaceFilter": place, "IgnoreAttemptedHostsFilter": ignore_attempted_hosts}


def _list(text):
    return tuple(word.strip() for word in (text or "").split(",") if word.strip())
