"""How the service does, looked at for operators: the database, the broker, services, backends, and jobs that nobody takes."""

import dataclasses
import time

from cinder_lite import db
from cinder_lite.db import jobs, services
from cinder_lite.jobs import wait_reasons
from cinder_lite.rpc import transport

#: What a service needs, and looks after itself.
PARTS = {"cinder-volume": "backend", "cinder-backup": "store"}


def examine(shared):
    """What is found, ready for JSON: `problems` are sentences with what to do, and `healthy` says that there are none."""
    down_time = shared.conf.service_down_time
    database, seen = _look(shared.db, down_time)
    found = {"database": database, "broker": _broker(shared)}
    problems = [f"the database cannot be used: {database['error']}" if not database["up"] else None,
                f"the message broker cannot be reached: {found['broker']['error']}; requests are accepted, and begun "
                "after job_sweep_interval each" if not found["broker"]["up"] else None]
    if database.get("refuses"):
        problems.append(f"the database refuses to be written: {database['refuses']}; requests are refused until that is repaired")
    if database["up"]:
        found["services"] = [_service(row, down_time) for row in seen.rows]
        found["jobs"] = {**seen.counts, "oldest_unclaimed": seen.oldest}
        problems += [_wrong(service) for service in found["services"]]
        problems += seen.waiting
    problems = [problem for problem in problems if problem]
    return {"healthy": not problems, "problems": problems, **found}


@dataclasses.dataclass
class Seen:
    """What the database tells: services, numbers of live jobs by status, the oldest that nobody works on, what is missing."""

    rows: list
    counts: dict
    oldest: dict | None
    waiting: list


def _look(database, down_time):
    began = time.monotonic()
    try:
        with database.read() as tx:
            rows, standing, oldest = services.page(tx), jobs.standing(tx), jobs.oldest_unclaimed(tx)
            waiting = list(_waiting(tx, rows, oldest, down_time))
    except db.ERRORS as error:
        return {"up": False, "error": str(error).strip().splitlines()[0]}, None
    counts = {}
    for group in standing:
        counts[group.status] = counts.get(group.status, 0) + group.count
    shown = oldest and {
        **{name: getattr(oldest, name) for name in ("id", "action", "kind", "resource_id", "stage", "host")},
        "seconds": _since(oldest)}
    state = {"up": True, "seconds": round(time.monotonic() - began, 4), **_writing(database)}
    return state, Seen(rows, counts, shown, waiting)


def _waiting(tx, rows, oldest, down_time):
    """Sentences on services that are not up while jobs wait for them, and on the oldest job if its service is."""
    named = set()
    for place in jobs.unclaimed(tx):
        if place.stage not in wait_reasons.SERVICES or wait_reasons.missing(place.stage, place.host, rows, down_time) is None:
            continue
        yield _unserved(jobs.oldest_unclaimed(tx, place.stage, place.host), place, rows, down_time)
        named.add((place.stage, place.host))
    for stage in ("scheduler", "volume"):  # without which nothing can be made
        if not any(row.binary == wait_reasons.SERVICES[stage][0] for row in rows) and stage not in dict(named):
            yield f"{wait_reasons.missing(stage, None, rows, down_time)}: start one"
    if oldest is not None and (oldest.stage, oldest.host) not in named and _since(oldest) > down_time:
        why = wait_reasons.reason(oldest, rows, down_time, whole=True)
        yield f"{_sentence(oldest)}: {why or 'see that it runs, and what its log says'}"


def _unserved(job, place, rows, down_time):
    more = f", and {place.count - 1} more" if place.count > 1 else ""
    return f"{_sentence(job)}{more}: {wait_reasons.missing(place.stage, place.host, rows, down_time)}; start it, and they are done"


def _sentence(job):
    where = f"the {wait_reasons.SERVICES[job.stage][1] if job.stage in wait_reasons.SERVICES else job.stage}" + (f" on {job.host}" if job.host else "")
    return f"{job.action} of {job.kind} {job.resource_id} waits for {where} since {_since(job)} s"


def _since(job):
    return _age(job.updated_at or job.created_at)


def _writing(database):
    """That, and why, the database takes nothing: now, or a moment ago."""
    try:
        with database.write() as tx:
            services.try_to_write(tx)
    except db.ERRORS as error:
        return {"refuses": str(error).strip().splitlines()[0]}
    return {"refuses": str(database.trouble)} if database.trouble else {}


def _broker(shared):
    began = time.monotonic()
    error = transport.unreachable(shared.transport)
    return {"up": False, "error": error} if error else {"up": True, "seconds": round(time.monotonic() - began, 4)}


def _service(row, down_time):
    found = {"binary": row.binary, "host": row.host, "zone": row.availability_zone, "enabled": not row.disabled,
             "up": services.is_up(row, down_time), "seen_seconds_ago": row.seen_at and _age(row.seen_at)}
    part = PARTS.get(row.binary)
    if part:
        found[part] = {"up": bool(row.backend_up), "reason": row.backend_reason}
    return found


def _wrong(service):
    name = f"{service['binary']} on {service['host']}"
    if not service["enabled"]:
        return None
    if not service["up"]:
        since = f"its last heartbeat is {service['seen_seconds_ago']} s old" if service["seen_seconds_ago"] else "it has ended"
        return (f"{name} is down, {since}: start it, or forget it by 'cinder-lite-manage service remove "
                f"{service['binary']} {service['host']}'")
    backend, store = service.get("backend"), service.get("store")
    if backend and not backend["up"]:
        return f"the backend {service['host']} is down: {backend['reason']}"
    return f"the store of {name} cannot be used: {store['reason']}" if store and not store["up"] else None


def _age(moment):
    return round((db.now() - moment).total_seconds(), 1)
