"""SIGTERM and SIGHUP under load: running jobs are finished or handed back, requests do not fail."""

import signal

import pytest

from tests.services import checks, daemons, load, processes

CLIENTS, TIMES = 4, 2


@pytest.fixture
def service(database, broker):
    with daemons.Daemons(database.url, broker.url) as four:
        yield four.start()


@pytest.fixture
def clients(service):
    clients = [load.Client(service, f"signals {number}") for number in range(CLIENTS)]
    for client in clients:
        client.start()
        client.resume()
    yield clients
    for client in clients:
        client.end()


def goes_on(clients, more=10):
    before = sum(client.accepted for client in clients)
    processes.until(lambda: sum(client.accepted for client in clients) > before + more, what="the clients' work")


def test_services_that_get_sigterm_lose_nothing(service, database, clients):
    for name in daemons.NAMES * TIMES:
        goes_on(clients)
        process = service.processes[name]
        assert process.stop() == 0
        service.launch(name)
    for client in clients:
        client.pause()
    service.wait()
    checks.await_rest(service, database)
    assert checks.wrong(service, database, clients) == []
    assert checks.rows(database, "SELECT id, action, attempt FROM jobs WHERE attempt > 1") == []


def test_services_continue_after_sighup(service, database, clients):
    pids = {name: process.pid for name, process in service.processes.items()}
    for name in daemons.NAMES:
        service.kill(name, signal.SIGHUP)
        goes_on(clients)
    for client in clients:
        client.pause()
    checks.await_rest(service, database)
    assert checks.wrong(service, database, clients) == []
    assert {name: process.pid for name, process in service.processes.items() if process.running} == pids
