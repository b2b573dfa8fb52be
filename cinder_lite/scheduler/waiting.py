"""Decides which requests wait for a backend that is starting, down, or has not reported its capacity yet."""

import dataclasses
from collections.abc import Iterable, Mapping

from cinder_lite import db, errors
from cinder_lite.jobs import pool_capacity
from cinder_lite.scheduler import explain
from cinder_lite.scheduler import filters as filtering
from cinder_lite.scheduler.choose import Decision

#: Filters that need no reported facts of a pool.
WITHOUT_REPORT = ("AvailabilityZoneFilter", "SameBackendFilter", "DifferentBackendFilter", "InstanceLocalityFilter",
                  "IgnoreAttemptedHostsFilter")
AWAITED = "a backend that is starting or down"


def coming(request: pool_capacity.Request, pools: Iterable[pool_capacity.Pool],
           filters: Mapping[str, filtering.Filter]) -> set[str]:
    """The backends (host@backend) that could take the request if they were up, or had reported enough capacity."""
    few = {name: check for name, check in filters.items() if name in WITHOUT_REPORT}
    found = set()
    for pool in pools:
        if pool.reported and pool.service_up and pool.backend_up:
            continue
        ready = dataclasses.replace(pool, service_up=True, backend_up=True)
        if not pool.reported:
            ready = dataclasses.replace(ready, pool=_wanted(request, pool), total_gb="unknown", free_gb="unknown")
        checks = filters if pool.reported else few
        if all(check(ready, request) is None for check in {**filtering.ALWAYS, **checks}.values()):
            found.add(pool.service_host)
    return found


def _wanted(request, pool):
    """The assumed name of an unreported pool: the required one, if that is of this backend."""
    backend, _, name = (request.only_pool or "").partition("#")
    return name if backend == pool.service_host else pool.pool


def begun(job: db.Row) -> str | None:
    """Since when the job waits for a backend, as text; None if it does not."""
    return ((job.decision or {}).get("waiting") or {}).get("since")


def noted(job: db.Row, decision: Decision, seconds: float) -> dict | None:
    """The decision to record for a job that waits up to `seconds`; None when that time is over."""
    since = begun(job) or db.now().isoformat()
    if not db.is_recent(db.parse_time(since), seconds):
        return None
    return {**decision.plain(), "waiting": {"since": since, "seconds": seconds}}


def reason(job: db.Row, decision: Decision, seconds: float) -> errors.Reason:
    """Why the request failed."""
    waited = [f"waited {seconds} s for {AWAITED}"] if begun(job) else []
    return errors.Reason.joined(*waited, explain.reason(decision.plain()))
