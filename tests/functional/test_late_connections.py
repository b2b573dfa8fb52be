"""Late, repeated and lost connection requests, and stopped services: exports match the connections."""

import concurrent.futures
import contextlib
import datetime
import functools
import os
import threading
import uuid

import pytest
import sqlalchemy as sa

from cinder_lite import context, db, errors, states
from cinder_lite.db import schema
from cinder_lite.service.volume import VolumeService
from tests.functional.client import Client
from tests.functional.service import Service, until

SECTION = """
[gated]
volume_driver = file
file_volume_dir = {state}/volumes
target_helper = tests.functional.gated.GatedTarget
"""
CONNECTOR = {"host": "one", "initiator": "iqn.2026-01.org.example:one"}
OTHER = {"host": "two", "initiator": "iqn.2026-01.org.example:two"}
POINTS = ("before-export", "export")


@pytest.fixture(scope="module")
def service():
    default = "job_sweep_interval = 0.2\nrpc_reply_timeout = 1\nquota_volumes = 200"
    with Service(backends=("gated",), sections={"gated": SECTION}, default=default, target=False) as running:
        yield running


@pytest.fixture
def client(service):
    return Client(service.url)


@contextlib.contextmanager
def holding(service, point):
    """A context in which the target waits at a point, which yields a file that exists when it has got there."""
    directory = os.path.join(service.state, "targets", "gated")
    os.makedirs(directory, exist_ok=True)
    path, at = (os.path.join(directory, f".{word}-{point}") for word in ("hold", "at"))
    with contextlib.suppress(FileNotFoundError):
        os.unlink(at)
    open(path, "w").close()
    try:
        yield at
    finally:
        os.unlink(path)


@pytest.fixture
def hold(service):
    return functools.partial(holding, service)


def exports(service):
    return service.volume.backends[0].manager.exports


def rows(service, **values):
    with service.process.db.read() as tx:
        return tx.execute(sa.select(schema.connections).where(
            *(schema.connections.c[key] == value for key, value in values.items()))).all()


def exported(service, id):
    return [name for name in service.volume.backends[0].backend.target.exported() if id in name]


def agree(service, id):
    """Whether the exports of a volume match its connections, and no operation is in progress."""
    found = rows(service, volume_id=id)
    return all(one.state == states.CONNECTED for one in found) and sorted(exported(service, id)) == sorted(
        {one.export_name for one in found})


def status(client, id):
    return client("GET", f"/volumes/{id}", expect=200)["volume"]["status"]


def attach(client, id, connector=CONNECTOR):
    return client("POST", "/attachments", {"attachment": {"volume_uuid": id, "connector": connector,
                                                         "instance_uuid": str(uuid.uuid4())}})


def initialize(client, id, connector=CONNECTOR):
    return client("POST", f"/volumes/{id}/action", {"os-initialize_connection": {"connector": connector}})


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("way", [attach, initialize])
def test_a_late_connection_is_undone_with_its_reservation(service, client, hold, way, point):
    id = client.made("volumes", size=1)["id"]
    with hold(point):
        assert way(client, id)[0] == 500
        assert status(client, id) == "available"
        assert client("GET", f"/attachments?volume_id={id}", expect=200)["attachments"] == []
    until(lambda: rows(service, volume_id=id) == [], "the connection to be undone")
    assert exported(service, id) == []


@pytest.mark.parametrize("point", POINTS)
def test_a_late_connection_does_not_affect_the_next(service, client, hold, point):
    id = client.made("volumes", size=1)["id"]
    with hold(point):
        assert attach(client, id)[0] == 500
    found = until(lambda: [body for code, body in [attach(client, id, OTHER)] if code == 200],
                  "the next to be attached")[0]
    client("POST", f"/attachments/{found['attachment']['id']}/action", {"os-complete": None}, expect=204)
    until(lambda: agree(service, id), "the exports to be right")
    assert len(exported(service, id)) == 1


def test_a_volume_that_grows_brings_no_ended_export_back(service, client, hold):
    id = client.made("volumes", size=1)["id"]
    assert initialize(client, id)[0] == 200
    with hold("before-export") as at:
        client("POST", f"/volumes/{id}/action", {"os-extend": {"new_size": 2}}, expect=202)
        until(lambda: os.path.exists(at), "the export to be made anew for its size")
        client("POST", f"/volumes/{id}/action", {"os-terminate_connection": {"connector": CONNECTOR}})
    client.settled("volumes", id)
    until(lambda: rows(service, volume_id=id) == [], "the connection to be undone")
    assert exported(service, id) == []


@pytest.mark.parametrize("point", ["before-remove", "remove"])
def test_a_late_disconnection_keeps_a_newer_attachment(service, client, hold, point):
    id = client.made("volumes", size=1)["id"]
    first = attach(client, id)[1]["attachment"]
    with hold(point):
        client("DELETE", f"/attachments/{first['id']}", expect=200)
        assert status(client, id) == "available"
        assert attach(client, id, OTHER)[0] == 500  # it waits for the one before
    second = until(lambda: [body for code, body in [attach(client, id, OTHER)] if code == 200],
                   "the next")[0]["attachment"]
    client("POST", f"/attachments/{second['id']}/action", {"os-complete": None}, expect=204)
    until(lambda: agree(service, id), "the exports to be right")
    assert len(exported(service, id)) == 1 and status(client, id) == "in-use"


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("way", [attach, initialize])
def test_a_volume_that_is_deleted_while_a_host_is_connected_leaves_no_export(service, client, hold, way, point):
    id = client.made("volumes", size=1)["id"]
    answers = []
    with hold(point):
        asking = threading.Thread(target=lambda: answers.append(way(Client(service.url), id)[0]))
        asking.start()
        until(lambda: rows(service, volume_id=id, state=states.CONNECTING), "the connection to be recorded")
        if way is attach:
            client("POST", f"/volumes/{id}/action", {"os-reset_status": {"attach_status": "detached"}}, expect=202)
        client("POST", f"/volumes/{id}/action", {"os-force_delete": None}, expect=202)
    asking.join()
    assert answers[0] in (400, 404, 500)
    client.gone("volumes", id)
    until(lambda: exported(service, id) == [], "the export to be gone")
    assert rows(service, volume_id=id) == []


def ask(service, method, id, **arguments):
    """Execute a message to the volume service."""
    ctx = context.Context(user_id="somebody", project_id="blue", overwrite=False)
    return getattr(service.process.volume.on("test@gated"), method)(ctx, volume_id=id, **arguments)


def test_a_duplicate_message_changes_nothing(service, client):
    id = client.made("volumes", size=1)["id"]
    found = attach(client, id)[1]["attachment"]
    row, = rows(service, volume_id=id)
    again = {"attachment_id": found["id"], "connector": CONNECTOR}
    for _ in range(2):
        ask(service, "connect", id, connection_id=row.id, generation=row.generation, **again)
        ask(service, "disconnect", id, marked=True, attachment_id=found["id"], connector=CONNECTOR)
    assert agree(service, id) and len(exported(service, id)) == 1


def test_a_message_after_the_end_is_refused(service, client):
    id = client.made("volumes", size=1)["id"]
    found = attach(client, id)[1]["attachment"]
    row, = rows(service, volume_id=id)
    client("DELETE", f"/attachments/{found['id']}", expect=200)
    with pytest.raises(errors.ConnectionEnded):
        ask(service, "connect", id, connection_id=row.id, generation=row.generation, attachment_id=found["id"],
            connector=CONNECTOR)
    assert exported(service, id) == [] and rows(service, volume_id=id) == []


def test_the_disconnection_of_an_attachment_that_is_gone_leaves_the_present_one(service, client):
    id = client.made("volumes", size=1)["id"]
    first = attach(client, id)[1]["attachment"]
    client("DELETE", f"/attachments/{first['id']}", expect=200)
    initialize(client, id)
    for marked in (True, False):
        ask(service, "disconnect", id, marked=marked, attachment_id=first["id"], connector=CONNECTOR)
        assert agree(service, id) and len(exported(service, id)) == 1


def test_requests_of_the_former_release_are_recorded_first(service, client):
    id = client.made("volumes", size=1)["id"]
    assert ask(service, "connect", id, attachment_id=None, connector=CONNECTOR)["data"]["volume_id"] == id
    assert agree(service, id) and len(exported(service, id)) == 1
    ask(service, "disconnect", id, attachment_id=None, connector=CONNECTOR)
    assert rows(service, volume_id=id) == exported(service, id) == []


LONG_AGO = datetime.timedelta(hours=1)


@pytest.mark.parametrize("lost", ["intent", "attachment", "end"])
def test_connections_of_a_killed_caller_are_swept(service, client, lost):
    id = client.made("volumes", size=1)["id"]
    found = attach(client, id)[1]["attachment"]
    C, A = schema.connections, schema.attachments
    with service.process.db.write() as tx:
        if lost == "attachment":
            tx.execute(sa.delete(A).where(A.c.id == found["id"]))
        else:
            state = states.CONNECTING if lost == "intent" else states.ENDING
            tx.execute(sa.update(C).where(C.c.volume_id == id).values(
                state=state, generation=C.c.generation + 1, updated_at=db.now() - LONG_AGO))
    until(lambda: rows(service, volume_id=id) == [], "the connection to be undone")
    assert exported(service, id) == []


def test_a_backend_that_refuses_leaves_nothing_and_an_end_is_tried_again(service, client):
    id = client.made("volumes", size=1)["id"]
    directory = os.path.join(service.state, "targets", "gated")
    failing = os.path.join(directory, ".fail-export")
    open(failing, "w").close()
    try:
        assert attach(client, id)[0] == 500
    finally:
        os.unlink(failing)
    assert status(client, id) == "available"
    until(lambda: rows(service, volume_id=id) == exported(service, id) == [], "the connection to be undone")
    found = attach(client, id)[1]["attachment"]
    failing = os.path.join(directory, ".fail-before-remove")
    open(failing, "w").close()
    try:
        client("DELETE", f"/attachments/{found['id']}", expect=200)
        assert [one.state for one in rows(service, volume_id=id)] == [states.ENDING]
    finally:
        os.unlink(failing)
    until(lambda: rows(service, volume_id=id) == exported(service, id) == [], "the end to be tried again")


def test_a_volume_service_that_is_down_is_not_waited_for():
    with Service(backends=("gated",), sections={"gated": SECTION}, default="rpc_reply_timeout = 600",
                 target=False) as service:
        client = Client(service.url)
        free, taken = (client.made("volumes", size=1)["id"] for _ in range(2))
        reserved = client("POST", "/attachments", {"attachment": {"volume_uuid": taken}},
                          expect=200)["attachment"]["id"]
        found = attach(client, client.made("volumes", size=1)["id"])[1]["attachment"]
        service.volume.stop(10)
        with service.process.db.write() as tx:
            # Long enough ago not to be a restart.
            tx.execute(sa.update(schema.services).values(updated_at=db.now() - LONG_AGO))
        for code, body in (attach(client, free), initialize(client, free), client(
                "PUT", f"/attachments/{reserved}", {"attachment": {"connector": CONNECTOR}})):
            assert code == 503 and "is down" in body["serviceUnavailable"]["message"]
        name = service.volume.backends[0].backend.name
        assert f"on {name} is down" in client("GET", f"/capabilities/{name}", expect=503)[
            "serviceUnavailable"]["message"]
        says = client("GET", f"/manageable_volumes?host={name}", expect=400)["badRequest"]["message"]
        assert f"{name} is not up" in says
        assert (status(client, free), status(client, taken)) == ("available", "reserved")
        assert rows(service, volume_id=free) == rows(service, volume_id=taken) == []
        # An end is kept as well: the service does it when it is back.
        client("DELETE", f"/attachments/{found['id']}", expect=200)
        assert [one.state for one in rows(service, volume_id=found["volume_id"])] == [states.ENDING]


def test_a_volume_service_that_goes_down_during_a_call_is_named():
    with Service(backends=("gated",), sections={"gated": SECTION}, default="rpc_reply_timeout = 5",
                 target=False) as service, concurrent.futures.ThreadPoolExecutor(2) as pool:
        client = Client(service.url)
        one, other = (client.made("volumes", size=1)["id"] for _ in range(2))
        with holding(service, "before-export") as at:
            answers = [pool.submit(attach, client, one), pool.submit(initialize, client, other)]
            until(lambda: os.path.exists(at), "the call to have begun")
            service.volume.backends[0].heartbeat.stop()
            for answer in answers:
                code, body = answer.result()
                assert code == 503 and "is down; try again" in body["serviceUnavailable"]["message"]
            assert status(client, one) == status(client, other) == "available"
            assert client("GET", "/attachments", expect=200)["attachments"] == []
        until(lambda: rows(service) == [], "the late connections to be undone")


def test_a_volume_service_that_is_restarted_is_waited_for():
    with Service(backends=("gated",), sections={"gated": SECTION}, default="rpc_reply_timeout = 600",
                 target=False) as service, concurrent.futures.ThreadPoolExecutor(2) as pool:
        client = Client(service.url)
        one, other = (client.made("volumes", size=1)["id"] for _ in range(2))
        service.volume.stop(10)
        answers = [pool.submit(attach, client, one), pool.submit(initialize, client, other)]
        until(lambda: rows(service, volume_id=one) and rows(service, volume_id=other), "the calls to be on their way")
        service.services.remove(service.volume)
        service.volume = VolumeService(service.process)
        service.services.append(service.volume)
        service.volume.start()
        assert [answer.result()[0] for answer in answers] == [200, 200]
        assert agree(service, one) and agree(service, other)
