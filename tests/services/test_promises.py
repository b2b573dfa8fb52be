"""Jobs whose service dies repeatedly fail with a reason and release everything."""

import re

import pytest

from tests.services import checks, daemons, processes


@pytest.fixture
def service(database, broker):
    with daemons.Daemons(database.url, broker.url) as four:
        yield four.start()


def accepted(service, path, body):
    status, answer = service.request("POST", path, body)
    assert status in (200, 202), answer
    return next(iter(answer.values()))["id"] if answer and "restore" not in answer else answer


def made(service, database, kind, **body):
    id = accepted(service, f"/{kind}", {kind[:-1]: body})
    checks.await_rest(service, database)
    assert status(service, kind, id) == "available"
    return id


def status(service, kind, id):
    code, body = service.request("GET", f"/{kind}/{id}")
    return body[kind[:-1]]["status"] if code == 200 else None


def give_up(database, stage, n):
    """Wait until `count` jobs wait at the stage, and set their attempts as if their service had died too often."""
    query = f"SELECT count(*) FROM jobs WHERE status = 'queued' AND stage = '{stage}'"
    processes.until(lambda: checks.rows(database, query)[0][0] == n, what=f"{n} jobs waiting at {stage}")
    with database.connect() as connection, connection.cursor() as cursor:
        cursor.execute("UPDATE jobs SET attempt = 99 WHERE status = 'queued'")


def outcome(service, database, expected):
    """Wait until no job is live; {(kind, id): status} must be as expected, and failed resources have a message."""
    checks.await_rest(service, database)
    assert {(kind, id): status(service, kind, id) for kind, id in expected} == expected
    for (_, id), found in expected.items():
        if found.startswith("error"):
            messages = service.request("GET", f"/messages?resource_uuid={id}")[1]["messages"]
            assert re.search("attempts (failed|could not be completed)", str(messages)), (id, messages)
    assert checks.wrong(service, database, []) == []


def test_a_job_that_kills_the_volume_service_is_given_up(service, database):
    extended, reverted, kept, deleted, cascaded = (made(service, database, "volumes", size=1) for _ in range(5))
    snapshot = made(service, database, "snapshots", volume_id=reverted)
    gone_too = made(service, database, "snapshots", volume_id=cascaded)
    backup = made(service, database, "backups", volume_id=kept)
    service.kill("volume")
    accepted(service, f"/volumes/{extended}/action", {"os-extend": {"new_size": 3}})
    accepted(service, f"/volumes/{reverted}/action", {"revert": {"snapshot_id": snapshot}})
    new_snapshot = accepted(service, "/snapshots", {"snapshot": {"volume_id": kept}})
    assert service.request("DELETE", f"/volumes/{deleted}")[0] == 202
    assert service.request("DELETE", f"/volumes/{cascaded}?cascade=True")[0] == 202
    new = accepted(service, "/volumes", {"volume": {"size": 1}})
    lent = accepted(service, "/volumes", {"volume": {"size": 1, "backup_id": backup}})
    give_up(database, "volume", 7)
    service.restart("volume")
    service.wait()
    outcome(service, database, {
        ("volumes", extended): "error_extending", ("volumes", reverted): "error", ("snapshots", snapshot): "available",
        ("snapshots", new_snapshot): "error", ("volumes", deleted): "error_deleting",
        ("volumes", cascaded): "error_deleting", ("volumes", new): "error", ("volumes", lent): "error",
        ("backups", backup): "available"})
    assert status(service, "snapshots", gone_too) == "error_deleting"


def test_a_job_that_kills_the_backup_service_is_given_up(service, database):
    source, target = (made(service, database, "volumes", size=1) for _ in range(2))
    restored, lent, deleted = (made(service, database, "backups", volume_id=target) for _ in range(3))
    snapshot = made(service, database, "snapshots", volume_id=target)
    service.kill("backup")
    of_volume = accepted(service, "/backups", {"backup": {"volume_id": source}})
    of_snapshot = accepted(service, "/backups", {"backup": {"volume_id": target, "snapshot_id": snapshot}})
    accepted(service, f"/backups/{restored}/restore", {"restore": {"volume_id": target}})
    new = accepted(service, "/volumes", {"volume": {"size": 1, "backup_id": lent}})
    assert service.request("DELETE", f"/backups/{deleted}")[0] == 202
    give_up(database, "backup", 5)
    service.restart("backup")
    service.wait()
    outcome(service, database, {
        ("backups", of_volume): "error", ("volumes", source): "available", ("backups", of_snapshot): "error",
        ("backups", restored): "available", ("volumes", target): "error_restoring", ("backups", lent): "available",
        ("volumes", new): "error", ("backups", deleted): "error_deleting"})
    assert status(service, "snapshots", snapshot) == "available"


def test_a_volume_without_a_backend_releases_its_source(service, database):
    volume = made(service, database, "volumes", size=1)
    backup = made(service, database, "backups", volume_id=volume)
    status_, _ = service.request("PUT", "/os-services/disable", {"binary": "cinder-volume", "host": "test@file"})
    assert status_ == 200
    new = accepted(service, "/volumes", {"volume": {"size": 1, "backup_id": backup}})
    checks.await_rest(service, database)
    assert (status(service, "volumes", new), status(service, "backups", backup)) == ("error", "available")
    assert checks.wrong(service, database, []) == []


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_source_of_a_pending_copy_is_not_overwritten(service, database):
    cloned, taken, idle = (made(service, database, "volumes", size=1) for _ in range(3))
    snapshots = {volume: made(service, database, "snapshots", volume_id=volume) for volume in (cloned, taken, idle)}
    backup = made(service, database, "backups", volume_id=idle)
    service.kill("volume")
    copies = accepted(service, "/volumes", {"volume": {"source_volid": cloned}}), accepted(
        service, "/snapshots", {"snapshot": {"volume_id": taken}})

    def overwrite(volume):
        return (service.request("POST", f"/volumes/{volume}/action", {"revert": {"snapshot_id": snapshots[volume]}})[0],
                service.request("POST", f"/backups/{backup}/restore", {"restore": {"volume_id": volume}})[0])

    assert (overwrite(cloned), overwrite(taken)) == ((409, 400), (400, 400))
    service.restart("volume")
    service.wait()
    checks.await_rest(service, database)
    assert [status(service, kind, id) for kind, id in zip(("volumes", "snapshots"), copies, strict=True)] == [
        "available", "available"]
    assert overwrite(cloned)[0] == 202
    checks.await_rest(service, database)
    assert checks.wrong(service, database, []) == []
