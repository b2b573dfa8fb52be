"""The database is killed under load and restarted: accepted requests are completed without a restart of services."""

import time

import pytest

from tests.services import checks, daemons, load, processes

TIMES, AWAY = 2, 6
CLIENTS = 4


@pytest.fixture
def service(database, broker):
    with daemons.Daemons(database.url, broker.url) as four:
        yield four.start()


def test_services_get_over_a_database_that_was_away(service, database):
    pids = {name: process.pid for name, process in service.processes.items()}
    clients = [load.Client(service, f"database {number}") for number in range(CLIENTS)]
    for client in clients:
        client.start()
    for _ in range(TIMES):
        for client in clients:
            client.resume()
        before = sum(client.accepted for client in clients)
        processes.until(lambda before=before: sum(client.accepted for client in clients) > before + 20)
        database.kill()
        status, body = service.request("GET", "/volumes")
        assert (status, "serviceUnavailable" in body) == (503, True)
        status, found = service.health("?detailed")
        assert (status, found["database"]["up"]) == (503, False), found
        assert service.health() == (200, "OK"), "one that is alive is not to be taken out for a database that is away"
        time.sleep(AWAY)
        database.start()
        before = sum(client.accepted for client in clients)
        processes.until(lambda before=before: sum(client.accepted for client in clients) > before + 20)
        for client in clients:
            client.pause()
        checks.await_rest(service, database)
        assert checks.wrong(service, database, clients) == []
    for client in clients:
        client.end()
    assert {name: process.pid for name, process in service.processes.items() if process.running} == pids
    up = service.request("GET", "/os-services")[1]["services"]
    assert {one["binary"]: one["state"] for one in up} == {
        "cinder-scheduler": "up", "cinder-volume": "up", "cinder-backup": "up"}
