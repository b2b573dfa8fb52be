"""The scheduler's filters for hints of a request: other volumes, a server, a query of pools."""

import uuid

from cinder_lite.jobs import pool_capacity, pool_facts
from cinder_lite.scheduler import json_query


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
        return None if json_query.passes(query, pool_facts.state(pool)) else "hint query is not true for this pool"
    except json_query.QueryError as problem:
        return f"hint query: {problem}"


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
