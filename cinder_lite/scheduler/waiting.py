"""Which requests wait: those for which a pool may come up whose service or backend is starting or down, or has reported nothing yet."""

import dataclasses

from cinder_lite import db, errors
from cinder_lite.scheduler import filters as filtering

#: Filters that ask for nothing that a pool has to report first.
WITHOUT_REPORT = ("AvailabilityZoneFilter", "SameBackendFilter", "DifferentBackendFilter", "InstanceLocalityFilter",
                  "IgnoreAttemptedHostsFilter")
FOR_WHAT = "a backend that is starting or down"


def coming(request, pools, filters):
    """The backends (host@backend) that could take the request if they were up and what has not reported yet had room."""
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
    """The name of the pool, which the backend has not told yet: the wanted one, if that is of this backend."""
    backend, _, name = (request.only_pool or "").partition("#")
    return name if backend == pool.service_host else pool.pool


def begun(job):
    """Since when a scheduler has the job wait, as text; None when it does not."""
    return ((job.decision or {}).get("waiting") or {}).get("since")


def noted(job, decision, seconds):
    """The decision, to be kept with the job, by which it waits for so many seconds; None when that time is over."""
    since = begun(job) or db.now().isoformat()
    if not db.is_recent(db.parse_time(since), seconds):
        return None
    return {**decision.plain(), "waiting": {"since": since, "seconds": seconds}}


def reason(job, decision, seconds):
    """Why the request was given up."""
    waited = [f"waited {seconds} s for {FOR_WHAT}"] if begun(job) else []
    return errors.Reason.joined(*waited, errors.Reason("; ".join(decision.explain()), "; ".join(decision.explain_to_members())))

