"""Invariants of an idle service: all jobs ended, sums right, no orphans on the backend."""

import os
import re

from tests.services import daemons, load, processes

TABLES = ("volumes", "snapshots", "backups")
OBJECT = re.compile(r"backup_([0-9a-f-]{36})")
RESTING = ("available", "in-use", "reserved", "attaching", "detaching", "error", "error_deleting", "error_extending",
           "error_restoring")


def rows(database, query):
    with database.connect() as connection, connection.cursor() as cursor:
        cursor.execute(query)
        return list(cursor.fetchall())


def restless(database):
    """Return live jobs, and rows in a transitional status."""
    quoted = ", ".join(f"'{status}'" for status in daemons.TRANSITIONAL)
    found = [f"job {row}" for row in rows(
        database, "SELECT id, kind, resource_id, action, status, stage, host, owner, attempt FROM jobs "
                  "WHERE status IN ('queued', 'running')")]
    for table in TABLES:
        found += [f"{table} {row}" for row in rows(
            database, f"SELECT id, status, previous_status, host FROM {table} WHERE status IN ({quoted})"
            if table != "snapshots" else f"SELECT id, status FROM snapshots WHERE status IN ({quoted})")]
    return found


def await_rest(service, database, limit=30):
    """Wait until no job is live; raises AssertionError with the remaining ones."""
    try:
        processes.until(lambda: not restless(database), limit, "everything being at rest", every=0.2)
    except processes.NotReady as error:
        raise AssertionError("\n".join([str(error), *_ended(service), *restless(database)])) from None


def wrong(service, database, clients):
    """Everything that is not as it must be, a line each."""
    return [*_ended(service), *_stray_files(service, database), *_stray_objects(service, database), *usage(database),
            *pools(database),
            *_doctor(service), *(line for client in clients for line in broken(service, client))]


def _ended(service):
    yield from (f"{name} ended with status {process.status}" for name, process in service.processes.items()
                if not process.running)


def _stray_files(service, database):
    expected = {f"{table[:-1]}-{id}" for table in ("volumes", "snapshots") for id, status in rows(
        database, f"SELECT id, status FROM {table}") if not status.startswith("error")}
    possible = {f"{table[:-1]}-{id}" for table in ("volumes", "snapshots") for (id,) in rows(
        database, f"SELECT id FROM {table}")}
    there = set(os.listdir(service.path("")))
    yield from (f"file without row: {name}" for name in sorted(there - possible))
    yield from (f"row without file: {name}" for name in sorted(expected - there))


def _stray_objects(service, database):
    known = {id for (id,) in rows(database, "SELECT id FROM backups")}
    whole = {id for (id,) in rows(database, "SELECT id FROM backups WHERE status = 'available'")}
    stored = set()
    for path, _, files in os.walk(os.path.join(service.directory.path, "backups")):
        found = OBJECT.search(path)
        if found and files:
            stored.add(found[1])
            if found[1] not in known:
                yield f"object without row: {path} {files}"
    yield from (f"backup without object: {id}" for id in sorted(whole - stored))


def usage(database):
    """Return one line for each usage that differs from the sum of the rows."""
    found = []
    sums = {
        "volumes": "SELECT count(*) FROM volumes WHERE counted",
        "snapshots": "SELECT count(*) FROM snapshots WHERE counted",
        "backups": "SELECT count(*) FROM backups WHERE counted",
        "gigabytes": "SELECT (SELECT coalesce(sum(size), 0) FROM volumes WHERE counted) + "
                     "(SELECT coalesce(sum(size), 0) FROM snapshots WHERE counted)",
        "backup_gigabytes": "SELECT coalesce(sum(size), 0) FROM backups WHERE counted"}
    held = dict(rows(database, "SELECT resource, in_use FROM quota_usages WHERE type_id = ''"))
    for resource, query in sums.items():
        if held.get(resource, 0) != rows(database, query)[0][0]:
            found.append(f"usage of {resource} is {held.get(resource)}, its rows add up to "
                         f"{rows(database, query)[0][0]}")
    return found


def pools(database):
    """Pools that gave out something else than their volumes add up to, a line each."""
    found = []
    for name, gigabytes, count in rows(database, "SELECT name, allocated_gb, volume_count FROM pools"):
        held = rows(database,
                    "SELECT coalesce(sum(size), 0), count(*) FROM volumes WHERE counted AND host IS NOT NULL")[0]
        if (gigabytes, count) != (int(held[0]), held[1]):
            found.append(f"pool {name} gave out {gigabytes} GiB in {count} volumes, its rows add up to {held}")
    return found


def _doctor(service):
    done = service.manage("doctor")
    if done.returncode:
        yield f"doctor: {done.stdout}{done.stderr}"


def broken(service, client):
    """Return the accepted requests of a client that were not fulfilled."""
    for thing in list(client.things):
        status, body = client.read(f"/{thing.kind}/{thing.id}")
        if status == 404:
            if not thing.going:
                yield f"{thing} is gone though nobody deleted it"
            client.things.remove(thing)
            continue
        found = body[thing.kind[:-1]]
        yield from (f"{thing}: {what}" for what in _differs(service, client, thing, found))
        if found["status"].startswith("error"):
            thing.contents = frozenset()


def _history(client, thing):
    """Return the jobs of a resource and of its source, oldest first, for diagnostics."""
    reported = []
    for one in filter(None, (thing.source, thing)):
        jobs = client.read(f"/jobs?resource_id={one.id}")[1]["jobs"]
        reported += [f"\n  {one}: {job['action']} {job['status']} attempt {job['attempt']} {job['created_at']} to "
                 f"{job['finished_at']}" for job in reversed(jobs)]
    return "".join(reported)


def _differs(service, client, thing, found):
    if found["status"] not in RESTING:
        yield f"its status is {found['status']}"
    if found["status"].startswith("error"):
        messages = client.read(f"/messages?resource_uuid={thing.id}")[1]["messages"]
        if not messages:
            yield f"its status is {found['status']}, but no message says why"
        return
    if thing.going == "yes":
        yield f"it was to be deleted, but is {found['status']}"
    if found["size"] not in thing.sizes:
        yield f"its size is {found['size']}, not one of {sorted(thing.sizes)}"
    if thing.kind != "backups":
        path = service.path(f"{thing.kind[:-1]}-{thing.id}")
        if thing.kind == "volumes" and os.path.getsize(path) != found["size"] << 30:
            yield f"its file has {os.path.getsize(path)} bytes, its size is {found['size']} GiB"
        if thing.contents and load.digest(path) not in map(load.digest_of, thing.contents):
            yield f"it does not hold what it must hold, one of {sorted(thing.contents)}{_history(client, thing)}"
