"""How the service does, looked at for operators: the database, the broker, services, backends, and jobs that nobody takes."""

import time

from cinder_lite import db, rpc
from cinder_lite.db import jobs, services

#: What a service needs, and looks after itself.
PARTS = {"cinder-volume": "backend", "cinder-backup": "store"}


def examine(shared):
    """What is found, ready for JSON: `problems` are sentences with what to do, and `healthy` says that there are none."""
    down_time = shared.conf.service_down_time
    database, rows, standing, waiting = _look(shared.db)
    found = {"database": database, "broker": _broker(shared)}
    problems = [f"the database cannot be used: {database['error']}" if not database["up"] else None,
                f"the message broker cannot be reached: {found['broker']['error']}; requests are accepted, and begun "
                "after job_sweep_interval each" if not found["broker"]["up"] else None]
    if database.get("refuses"):
        problems.append(f"the database refuses to be written: {database['refuses']}; requests are refused until that is repaired")
    if database["up"]:
        found["services"] = [_service(row, down_time) for row in rows]
        found["jobs"] = {**standing, "oldest_unclaimed": waiting}
        problems += [_wrong(service) for service in found["services"]]
        if waiting and waiting["seconds"] > down_time:
            where = f"the {waiting['stage']} service" + (f" on {waiting['host']}" if waiting["host"] else "")
            problems.append(f"{waiting['action']} of {waiting['kind']} {waiting['resource_id']} waits for {where} since "
                            f"{waiting['seconds']} s: see that it runs, and what its log says")
    problems = [problem for problem in problems if problem]
    return {"healthy": not problems, "problems": problems, **found}


def _look(database):
    began = time.monotonic()
    try:
        with database.read() as tx:
            rows, standing, waiting = services.page(tx), jobs.standing(tx), jobs.oldest_unclaimed(tx)
    except db.ERRORS as error:
        return {"up": False, "error": str(error).strip().splitlines()[0]}, [], {}, None
    counts = {}
    for group in standing:
        counts[group.status] = counts.get(group.status, 0) + group.count
    oldest = waiting and {
        **{name: getattr(waiting, name) for name in ("id", "action", "kind", "resource_id", "stage", "host")},
        "seconds": _age(waiting.updated_at or waiting.created_at)}
    return {"up": True, "seconds": round(time.monotonic() - began, 4), **_writing(database)}, rows, counts, oldest


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
    error = rpc.unreachable(shared.transport)
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
