"""Explains why a job waits: no service for it is up, its backend is down, or no pool can take it yet."""

from collections.abc import Collection

from cinder_lite import db, states
from cinder_lite.db import services

#: Stage of a job -> (binary of the service there, its name in texts).
SERVICES = {"scheduler": ("cinder-scheduler", "scheduler"), "volume": ("cinder-volume", "volume service"),
            "backup": ("cinder-backup", "backup service")}


def reason(job: db.Row, rows: Collection[db.Row], down_time: float, whole: bool) -> str | None:
    """Why no service works on the job; None when one does, or is about to.

    `rows` are all services, `down_time` is in seconds. Without `whole`, for members, hosts and backends are not named.
    """
    if job.stage not in SERVICES or not is_unclaimed(job):
        return None
    absent = missing(job.stage, job.host, rows, down_time)
    if absent is not None:
        return absent if whole else "the service that does this is not up"
    backend = next((row for row in rows if row.binary == "cinder-volume" and row.host == job.host), None)
    if job.stage == "volume" and backend is not None and not backend.backend_up:
        return f"the backend {job.host} is down: {backend.backend_reason}" if whole else "its backend is down"
    held = ((job.decision or {}).get("waiting") or {}).get("since") if job.stage == "scheduler" else None
    if held is None:
        return None
    what = f"no backend can take it yet since {_time(db.parse_time(held))}"
    refusals = job.decision["refusals"] if whole else ()
    return "; ".join([what, *(f"{one['pool']}: {one['reason']}" for one in refusals)])


def is_unclaimed(job: db.Row) -> bool:
    """Whether no worker has the job."""
    return job.status == states.QUEUED or (
        job.status == states.RUNNING and (job.lease_until is None or job.lease_until < db.now()))


def missing(stage: str, host: str | None, rows: Collection[db.Row], down_time: float) -> str | None:
    """Which service of the stage is down (on that host unless it is None) and since when; None when it is up."""
    binary, name = SERVICES[stage]
    able = [row for row in rows if row.binary == binary and host in (None, row.host)]
    if any(services.is_up(row, down_time) for row in able):
        return None
    if host is not None:
        subject, verb = f"the {name} {host}" if stage == "volume" else f"the {name} on {host}", "is down"
    else:
        subject, verb = f"no {name}", "is up"
    if not able:
        return f"no {name} has been started yet" if host is None else f"there is no {name} {host}"
    # A service that stops clears seen_at, which changes the row.
    last = [seen for row in able if (seen := row.seen_at or row.updated_at) is not None]
    return f"{subject} {verb} since {_time(max(last))}" if last else f"{subject} {verb}"


def _time(moment):
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
