"""The broker stops under load and returns without its queues: accepted requests are completed once."""

import time

import pytest

from cinder_lite import conf, context, db
from cinder_lite.concurrency import bulkhead
from cinder_lite.rpc import interface, transport
from cinder_lite.rpc.client import Client, Sender
from cinder_lite.rpc.server import Server
from tests.services import checks, daemons, load, processes

AWAY = 20
CLIENTS = 3


@pytest.fixture
def service(database, broker):
    with daemons.Daemons(database.url, broker.url) as four:
        yield four.start()


def volume(service, database):
    status, body = service.request("POST", "/volumes", {"volume": {"size": 1}})
    assert status == 202
    checks.await_rest(service, database)
    return body["volume"]["id"]


def connect(service, volume_id):
    """Attach the volume's host: the one request that waits for an answer over the broker."""
    status, body = service.request("POST", f"/volumes/{volume_id}/action", {
        "os-initialize_connection": {"connector": load.CONNECTOR}})
    return status, next(iter(body.values())) if body else None


def test_requests_accepted_without_a_broker_are_completed_once(service, database, broker):
    first = volume(service, database)
    clients = [load.Client(service, f"broker {number}") for number in range(CLIENTS)]
    for client in clients:
        client.start()
        client.resume()
    broker.kill()
    end = time.monotonic() + AWAY
    names = []
    while time.monotonic() < end:
        name = f"away-{len(names)}"
        assert service.request("POST", "/volumes", {"volume": {"size": 1, "name": name}})[0] == 202
        names.append(name)
        status, answer = connect(service, first)
        assert status == 503 and "the message broker is unavailable" in answer["message"], answer
    broker.restart(empty=True)
    for client in clients:
        client.pause()
        client.end()
    assert [client.unanswered - client.unconnected for client in clients] == [0] * CLIENTS
    checks.await_rest(service, database)
    assert checks.wrong(service, database, clients) == []
    found = service.request("GET", "/volumes/detail?limit=1000")[1]["volumes"]
    assert sorted(one["name"] for one in found if one["name"] and one["name"].startswith("away-")) == sorted(names)
    assert {one["status"] for one in found if one["name"] in names} == {"available"}
    assert checks.rows(database, "SELECT id FROM jobs WHERE attempt > 1 OR status = 'failed'") == []
    assert processes.until(lambda: connect(service, first)[0] == 200, what="volumes being connected again")


@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
def test_services_work_that_are_started_without_a_broker(service, database, broker):
    for name in ("scheduler", "volume", "backup"):
        service.kill(name)
    broker.kill()
    for name in ("scheduler", "volume", "backup"):
        service.launch(name)
    service.wait()
    first = volume(service, database)
    assert connect(service, first)[0] == 503
    status, found = service.health("?detailed")
    assert (status, found["broker"]["up"], found["database"]["up"], len(found["problems"])) == (503, False, True,
                                                                                                1), found
    assert service.health() == (200, "OK")
    assert service.stop(limit=30) == dict.fromkeys(daemons.NAMES, 0)
    for name in daemons.NAMES:
        service.launch(name)
    broker.restart(empty=True)
    service.wait()
    assert processes.until(lambda: connect(service, first)[0] == 200, what="volumes being connected again")
    status, found = service.health("?detailed")
    assert (status, found["problems"], found["broker"]["up"]) == (200, [], True), found


class Answering(interface.Interface):
    topic, version = "test-answers", "1.0"

    @interface.call
    def read(self, ctx):
        """Something of the database."""


class Cut:
    """A service whose database is away."""

    def read(self, ctx):
        raise db.Unreachable(OSError("connection refused"))


def test_a_database_failure_of_the_callee_is_reported_to_the_caller(broker):
    config = conf.load(argv=[])
    config.set_override("transport_url", broker.url)
    connection, sender = transport.connect(config), Sender()
    server = Server(connection, Answering, Cut(), "here")
    server.start()
    # It declares its queue aside; what is sent before that is lost.
    assert processes.until(lambda: server._started, what="the server's queue")
    client = Client(connection, Answering, sender, 30, bulkhead.Bulkhead(10))
    try:
        with pytest.raises(db.Unreachable):
            client.on("here").read(context.Context(user_id="u", project_id="p", is_admin=True, overwrite=False))
    finally:
        server.stop()
        sender.stop()
