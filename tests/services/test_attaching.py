"""Concurrent attachments on MariaDB and PostgreSQL: what one transaction commits, the next one that waited reads."""

import concurrent.futures
import contextlib
import threading
import uuid

import pytest
import sqlalchemy as sa

from cinder_lite import context, errors, states
from cinder_lite.db import attachments, connections, guards, schema, services, volumes
from cinder_lite.jobs.lifecycle import VOLUME, labels
from cinder_lite.volume.verbs.attachments import Attachments
from tests.functional.client import Client
from tests.functional.installation import PROJECT, Installation
from tests.functional.service import Service, until
from tests.services import checks

SECTION = """
[gated]
volume_driver = file
file_volume_dir = {{state}}/volumes
target_helper = tests.functional.gated.GatedTarget
[database]
connection = {url}
"""
HOSTS = 8


@pytest.fixture
def service(database):
    sections = {"gated": SECTION.format(url=database.url)}
    with Service(backends=("gated",), sections=sections, default="job_sweep_interval = 0.2", target=False) as running:
        assert running.process.db.dialect != "sqlite"
        yield running


@pytest.fixture
def client(service):
    return Client(service.url)


def attach(service, id, number):
    """(status, the attachment's body) of an attachment of a host of its own, by a connection of its own."""
    status, body = Client(service.url)("POST", "/attachments", {"attachment": {
        "volume_uuid": id, "instance_uuid": str(uuid.uuid4()),
        "connector": {"host": f"h{number}", "initiator": f"iqn.2026-01.org.example:{number}"}}})
    return status, body.get("attachment")


def at_once(function, *of):
    with concurrent.futures.ThreadPoolExecutor(HOSTS) as pool:
        return list(pool.map(function, *of))


def rows(service, table):
    with service.process.db.read() as tx:
        return tx.execute(sa.select(table)).all()


def test_one_of_many_hosts_gets_a_volume(service, client):
    id = client.made("volumes", size=1)["id"]
    for _ in range(4):
        found = at_once(attach, [service] * HOSTS, [id] * HOSTS, range(HOSTS))
        assert sorted(status for status, _ in found) == [200] + [400] * (HOSTS - 1)
        made, = (one for status, one in found if status == 200)
        assert [one.id for one in rows(service, schema.attachments)] == [made["id"]]
        connected, = rows(service, schema.connections)
        assert (connected.attachment_id, connected.state) == (made["id"], states.CONNECTED)
        assert made["connection_info"]["attachment_id"] == made["id"]
        assert client("GET", f"/attachments/{made['id']}", expect=200)["attachment"] == made
        client("DELETE", f"/attachments/{made['id']}", expect=200)
        assert client("GET", f"/volumes/{id}", expect=200)["volume"]["status"] == "available"
        assert rows(service, schema.connections) == []


def test_every_host_gets_a_volume_that_is_shared(service, client):
    client("POST", "/types", {"volume_type": {
        "name": "shared", "extra_specs": {"multiattach": "<is> True"}}}, expect=200)
    id = client.made("volumes", size=1, volume_type="shared")["id"]
    exported = service.volume.backends[0].backend.target.exported
    found = at_once(attach, [service] * HOSTS, [id] * HOSTS, range(HOSTS))
    assert [status for status, _ in found] == [200] * HOSTS
    assert client("GET", f"/volumes/{id}", expect=200)["volume"]["status"] == "attaching"
    connected = rows(service, schema.connections)
    assert {one.state for one in connected} == {states.CONNECTED}
    assert {one.attachment_id for one in connected} == {one["id"] for _, one in found}
    assert len(connected) == HOSTS and {one.export_name for one in connected} == set(exported())
    at_once(lambda one: Client(service.url)("DELETE", f"/attachments/{one[1]['id']}", expect=200), found)
    assert client("GET", f"/volumes/{id}", expect=200)["volume"]["status"] == "available"
    assert rows(service, schema.connections) == [] and exported() == {}


#: The number of statements that wait for a lock. Not innodb_trx: that table is not renewed while it is read often.
WAITING = {"postgresql": "SELECT count(*) FROM pg_locks WHERE NOT granted",
           "mariadb": "SELECT CAST(variable_value AS INT) FROM information_schema.global_status "
                      "WHERE variable_name = 'Innodb_row_lock_current_waits'"}


class VolumeService:
    """Stands for the volume service: it answers once `answering` is set."""

    def __init__(self):
        self.asked, self.answering = threading.Event(), threading.Event()

    def on(self, _host):
        return self

    def connect(self, _ctx, **_wanted):
        self.asked.set()
        assert self.answering.wait(60)
        return {"driver_volume_type": "fake", "data": {}}


@pytest.fixture
def here(database, tmp_path):
    installation = Installation(tmp_path, database.url).sync()
    yield installation
    installation.db.dispose()


@contextlib.contextmanager
def lock_wait(database, here, id, function):
    """A transaction that has locked a volume while `function` waits for that lock; yields (it, the future result)."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        with here.db.write() as tx:
            VOLUME.lock(tx, id)
            result = pool.submit(function)
            until(lambda: checks.rows(database, WAITING[database.name]) == [(1,)], "the lock to be waited for")
            yield tx, result


CTX = context.Context(user_id="ann", project_id=PROJECT, overwrite=False)


def test_an_attachment_that_is_committed_during_the_wait_for_the_lock_counts(database, here):
    id = here.volume(multiattach=True)
    verbs = Attachments(here.db, here.conf, None)
    with lock_wait(database, here, id, lambda: verbs.create(CTX, id, str(uuid.uuid4()), None, None)) as (tx, result):
        attachments.insert(tx, id=str(uuid.uuid4()), volume_id=id, project_id=PROJECT, connector={},
                           attach_status=states.ATTACHED, connection_info={})
        VOLUME.write(tx, id, status=states.IN_USE, attach_status=states.ATTACHED)
    assert result.result(60).attach_status == states.RESERVED
    row = here.row("volumes", id)
    assert (row.status, row.attach_status) == (states.IN_USE, states.ATTACHED)


def test_a_connection_that_ends_during_the_wait_for_the_lock_is_not_recorded(database, here):
    id, volume = here.volume(), VolumeService()
    verbs = Attachments(here.db, here.conf, volume)

    def record():
        volume.answering.set()
        return attaching.result(60)

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        attaching = pool.submit(verbs.create, CTX, id, str(uuid.uuid4()), {"host": "h"}, None)
        assert volume.asked.wait(60)
        with lock_wait(database, here, id, record) as (tx, _):
            assert connections.end_of_volume(tx, id) == 1
        with pytest.raises(errors.ConnectionEnded):
            attaching.result(60)
    assert here.row("volumes", id).status == states.AVAILABLE
    assert here.rows("attachments") == [] and [one.state for one in here.rows("connections")] == [states.ENDING]


def test_a_locked_volume_locks_no_row_of_its_service_or_type(here):
    spec = here.add("qos_specs", name="slow", consumer="front-end", specs={"total_iops_sec": "10"})
    type_id = here.add("volume_types", name="slow", qos_specs_id=spec, extra_specs={})
    id = here.volume(volume_type_id=type_id)
    down = services.down(schema.volumes.c.host, 60)
    with here.db.write() as tx:
        row = VOLUME.locked(tx, id, *labels((guards.HAS_PLACE, guards.NOT_MOVING)), *volumes.QOS, down)
        assert (row.id, row.guard_0, row.guard_1, row.service_down) == (id, True, True, False)
        assert (row.type_qos_consumer, row.type_qos_specs) == ("front-end", {"total_iops_sec": "10"})
        with here.db.write() as other:
            wait = "SET lock_timeout = '5s'" if here.db.dialect == "postgresql" else "SET innodb_lock_wait_timeout = 5"
            other.exec_driver_sql(wait)
            other.execute(sa.update(schema.services).values(seen_at=None))
            other.execute(sa.update(schema.qos_specs).values(specs={}))
            other.execute(sa.update(schema.volume_types).values(qos_specs_id=None))
    with here.db.write() as tx:
        row = VOLUME.locked(tx, id, *volumes.QOS, down)
        assert (row.type_qos_consumer, row.type_qos_specs, row.service_down) == (None, None, True)
