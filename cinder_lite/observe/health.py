"""Checks the health of the installation for operators: database, broker, services, backends, and unclaimed jobs."""

import dataclasses
import typing

from oslo_config import cfg

from cinder_lite import db
from cinder_lite.concurrency import awaited, bulkhead, clock
from cinder_lite.concurrency.pool import Pool
from cinder_lite.db import job_queries, services
from cinder_lite.jobs import wait_reasons
from cinder_lite.observe import outgoing
from cinder_lite.rpc import transport

#: The part that each service reports the state of.
PARTS = {"cinder-volume": "backend", "cinder-backup": "store"}

#: Seconds that the database has for its part of the examination.
DATABASE_TIMEOUT = 5
#: Each examination takes a thread for as long as the database does not answer.
_CHECKS = Pool(4)


class Shared(typing.Protocol):
    """The parts of a service.process.Process that are examined."""

    @property
    def conf(self) -> cfg.ConfigOpts: ...

    @property
    def db(self) -> db.Database: ...

    @property
    def transport(self) -> typing.Any: ...

    @property
    def waiting(self) -> bulkhead.Bulkhead: ...


def examine(shared: Shared) -> dict:
    """The state as JSON data: `problems` are sentences with remedies, and `healthy` is true if there are none."""
    down_time = shared.conf.service_down_time
    try:
        database, facts = awaited.within(_CHECKS, DATABASE_TIMEOUT, lambda: _query(shared.db, down_time))
    except awaited.Late as late:
        database, facts = {"up": False, "error": str(late)}, None
    found = {"database": database, "broker": _broker(shared)}
    problems = [f"the database cannot be used: {database['error']}" if not database["up"] else None,
                f"the message broker cannot be reached: {found['broker']['error']}; requests are accepted, and start "
                "after up to job_sweep_interval" if not found["broker"]["up"] else None]
    if database.get("refuses"):
        problems.append(f"the database refuses to be written: {database['refuses']}; requests are refused until that "
                        "is repaired")
    if facts is not None:
        found["services"] = [_service(row, down_time) for row in facts.rows]
        found["jobs"] = {**facts.counts, "oldest_unclaimed": facts.oldest}
        problems += [_problem_of(service) for service in found["services"]]
        problems += facts.waiting
    problems += [*_crowded(shared.waiting), *outgoing.problems(shared.conf)]
    problems = [problem for problem in problems if problem]
    return {"healthy": not problems, "problems": problems, **found}


@dataclasses.dataclass(frozen=True)
class Facts:
    """From the database: services, counts of unfinished jobs by status, the oldest unclaimed job, missing services."""

    rows: list
    counts: dict
    oldest: dict | None
    waiting: list


def _crowded(waiting):
    """Sentences about the services for which as many requests of this process wait as may."""
    for topic, host in waiting.full():
        yield (f"too many requests wait for the service '{topic}' on {host or 'any host'}, which may hang: look at its "
               "log and its storage")


def _query(database, down_time):
    began = clock.monotonic()
    try:
        with database.read() as tx:
            rows, pending, oldest = services.page(tx), job_queries.pending(tx), job_queries.oldest_unclaimed(tx)
            waiting = list(_waiting_for(tx, rows, oldest, down_time))
    except db.ERRORS as error:
        return {"up": False, "error": str(error).strip().splitlines()[0]}, None
    counts = {}
    for group in pending:
        counts[group.status] = counts.get(group.status, 0) + group.count
    shown = oldest and {
        **{name: getattr(oldest, name) for name in ("id", "action", "kind", "resource_id", "stage", "host")},
        "seconds": _since(oldest)}
    state = {"up": True, "seconds": round(clock.monotonic() - began, 4), **_writing(database)}
    return state, Facts(rows, counts, shown, waiting)


def _waiting_for(tx, rows, oldest, down_time):
    """Sentences about services that are down while jobs wait for them, and about the oldest job of an up service."""
    named = set()
    for place in job_queries.unclaimed(tx):
        if (place.stage not in wait_reasons.SERVICES or
                wait_reasons.missing(place.stage, place.host, rows, down_time) is None):
            continue
        yield _unserved(job_queries.oldest_unclaimed(tx, place.stage, place.host), place, rows, down_time)
        named.add((place.stage, place.host))
    for stage in ("scheduler", "volume"):  # nothing can be created without these
        if not any(row.binary == wait_reasons.SERVICES[stage][0] for row in rows) and stage not in dict(named):
            yield f"{wait_reasons.missing(stage, None, rows, down_time)}: start one"
    if oldest is not None and (oldest.stage, oldest.host) not in named and _since(oldest) > down_time:
        why = wait_reasons.reason(oldest, rows, down_time, whole=True)
        yield f"{_sentence(oldest)}: {why or 'check that it runs, and read its log'}"


def _unserved(job, place, rows, down_time):
    more = f", and {place.count - 1} more" if place.count > 1 else ""
    return (f"{_sentence(job)}{more}: {wait_reasons.missing(place.stage, place.host, rows, down_time)}; start it to "
            "run them")


def _sentence(job):
    service = wait_reasons.SERVICES[job.stage][1] if job.stage in wait_reasons.SERVICES else job.stage
    where = f"the {service}" + (f" on {job.host}" if job.host else "")
    return f"{job.action} of {job.kind} {job.resource_id} has been waiting for {where} for {_since(job)} s"


def _since(job):
    return _age(job.updated_at or job.created_at)


def _writing(database):
    """Why the database refuses writes, now or recently; empty if it accepts them."""
    try:
        with database.write() as tx:
            services.try_to_write(tx)
    except db.ERRORS as error:
        return {"refuses": str(error).strip().splitlines()[0]}
    return {"refuses": str(database.trouble)} if database.trouble else {}


def _broker(shared):
    began = clock.monotonic()
    error = transport.unreachable(shared.transport)
    return {"up": False, "error": error} if error else {"up": True, "seconds": round(clock.monotonic() - began, 4)}


def _service(row, down_time):
    found = {"binary": row.binary, "host": row.host, "zone": row.availability_zone, "enabled": not row.disabled,
             "up": services.is_up(row, down_time), "seen_seconds_ago": row.seen_at and _age(row.seen_at)}
    part = PARTS.get(row.binary)
    if part:
        found[part] = {"up": bool(row.backend_up), "reason": row.backend_reason}
    return found


def _problem_of(service):
    name = f"{service['binary']} on {service['host']}"
    if not service["enabled"]:
        return None
    if not service["up"]:
        age = service["seen_seconds_ago"]
        since = f"its last heartbeat is {age} s old" if age else "it has ended"
        return (f"{name} is down, {since}: start it, or remove it with 'cinder-lite-manage service remove "
                f"{service['binary']} {service['host']}'")
    backend, store = service.get("backend"), service.get("store")
    if backend and not backend["up"]:
        return f"the backend {service['host']} is down: {backend['reason']}"
    return f"the store of {name} cannot be used: {store['reason']}" if store and not store["up"] else None


def _age(moment):
    return round((db.now() - moment).total_seconds(), 1)
