"""Requests during startup do not fail because a backend has not started yet."""

import os
import threading

import pytest
import sqlalchemy as sa

from cinder_lite.db import job_queries, schema
from cinder_lite.volume.drivers import base
from cinder_lite.volume.drivers.file import FileDriver
from tests.functional.client import Client
from tests.functional.service import Apart, Service, until

SECTION = """
[{name}]
volume_driver = tests.functional.test_fresh_start.SlowDriver
volume_backend_name = {name}
file_volume_dir = {{state}}/{name}
target_helper = nbd
"""
FAST = "[file-1]\nvolume_driver = file\nfile_volume_dir = {state}/volumes\ntarget_helper = nbd\n"


class SlowDriver(FileDriver):
    """Its check waits while the file .shut is in the directory, and fails while .broken is."""

    def check(self):
        super().check()
        while os.path.exists(self._path(".shut")):
            threading.Event().wait(0.02)
        if os.path.exists(self._path(".broken")):
            raise base.DriverError("its disk is not there")

    def _path(self, name):
        return os.path.join(self.options.file_volume_dir, name)


class Starting(Service):
    """A service whose backends `one` and `two` can be marked: `shut` ones do not start, `broken` ones are down."""

    def __init__(self, default="", mark=".shut"):
        super().__init__(backends=("one", "two"), target=False, default=f"job_sweep_interval = 0.2\n{default}",
                         sections={name: SECTION.format(name=name) for name in ("one", "two")})
        self._marks = [os.path.join(self.state, name, mark) for name in self.backends]
        self.close()
        self.begin()

    def close(self):
        for path in self._marks:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            open(path, "w").close()

    def open(self):
        for path in self._marks:
            if os.path.exists(path):
                os.remove(path)

    def job(self, resource_id):
        """The newest job of a resource."""
        with self.process.db.read() as tx:
            return job_queries.of_resource(tx, resource_id)[0]

    def waits(self, *ids):
        """Until a scheduler has noted of each that it waits for a backend."""
        until(lambda: all(((self.job(id).decision or {}).get("waiting")) for id in ids),
              "the jobs to wait for a backend")


@pytest.fixture
def starting():
    made = []

    def start(*args, **kwargs):
        made.append(Starting(*args, **kwargs))
        return made[-1], Client(made[-1].url)

    yield start
    for service in made:
        service.open()
        service.stop()
        service.remove()


def typed(client, name):
    return client.type_of(name)["name"]


def grouped(client, *types):
    kind = client("POST", "/group_types", {"group_type": {"name": "plain"}}, expect=202)["group_type"]["id"]
    made = client("POST", "/groups", {"group": {"group_type": kind, "volume_types": types,
                                                "availability_zone": "nova"}},
                  expect=202)
    return made["group"]["id"]


def host(client, id):
    return client("GET", f"/volumes/{id}", expect=200)["volume"]["os-vol-host-attr:host"]


def held(client):
    found = client("GET", f"/os-quota-sets/{client.project}?usage=True", expect=200)["quota_set"]
    return found["volumes"]["in_use"], found["gigabytes"]["in_use"]


def test_requests_before_the_first_backend_is_up_wait_and_complete(starting):
    service, client = starting()
    ids = [client.create("volumes", size=1)["id"], client.create("volumes", size=1, availability_zone="nova")["id"],
           client.create("volumes", size=1, volume_type=typed(client, "one"))["id"]]
    group = grouped(client, "one")
    service.waits(*ids, group)
    assert {client("GET", f"/volumes/{id}", expect=200)["volume"]["status"] for id in ids} == {"creating"}
    service.open()
    for id in ids:
        client.settled("volumes", id)
    client.settled("groups", group)
    member = client.made("volumes", size=1, volume_type="one", group_id=group)
    assert host(client, member["id"]) == "test@one#one"


def test_requests_before_the_first_volume_service_wait_and_complete(starting):
    service, client = starting()
    service.open()
    until(lambda: all(one.started for one in service.volume.backends), "the backends to start")
    service.volume.stop(10)
    with service.process.db.write() as tx:
        tx.execute(sa.delete(schema.pools))
        tx.execute(sa.delete(schema.services).where(schema.services.c.binary == "cinder-volume"))
    id, group = client.create("volumes", size=1, availability_zone="nova")["id"], grouped(client, "__DEFAULT__")
    service.waits(id, group)
    service.services[0] = service.volume = type(service.volume)(service.process)
    service.volume.start()
    client.settled("volumes", id)
    client.settled("groups", group)


def test_requests_for_a_restarted_host_wait_for_its_backends(starting):
    service, client = starting()
    service.open()
    for name in ("one", "two"):
        typed(client, name)
    volume = client.made("volumes", size=1, volume_type="one")["id"]
    snapshot = client.made("snapshots", volume_id=volume)["id"]
    backup = client.made("backups", volume_id=volume, force=True)["id"]
    moving = [client.made("volumes", size=1, volume_type="one")["id"] for _ in range(3)]
    free = client.made("volumes", size=1)
    moving[1], there = free["id"], "two" if "one" in host(client, free["id"]) else "one"
    with open(os.path.join(service.state, "two", "foreign"), "wb") as file:
        file.truncate(1 << 30)
    service.stop()
    service.close()
    service.begin()
    until(lambda: client("GET", "/os-services?binary=cinder-volume", expect=200)["services"][0]["state"] == "up"
          and service.services[0].backends[0].heartbeat._started, "the volume service to report")
    made = [client.create("volumes", size=1, snapshot_id=snapshot)["id"],
            client.create("volumes", size=1, source_volid=volume)["id"],
            client.create("volumes", size=1, backup_id=backup)["id"]]
    client("POST", f"/volumes/{moving[0]}/action", {"os-extend": {"new_size": 2}}, expect=202)
    client("POST", f"/volumes/{moving[1]}/action", {"os-migrate_volume": {"host": f"test@{there}"}}, expect=202)
    client("POST", f"/volumes/{moving[2]}/action", {"os-retype": {"new_type": "two", "migration_policy": "on-demand"}},
           expect=202)
    managed = client("POST", "/manageable_volumes", {"volume": {"host": "test@two#two",
                                                                "ref": {"source-name": "foreign"}}},
                     expect=202)["volume"]["id"]
    service.waits(*made, *moving[1:], managed)
    service.open()
    for id in (*made, *moving, managed):
        client.settled("volumes", id)
    assert [host(client, id) for id in moving] == ["test@one#one", f"test@{there}#{there}", "test@two#two"]
    assert client("GET", f"/volumes/{moving[0]}", expect=200)["volume"]["size"] == 2


def test_waiting_has_a_bound_and_ends_with_the_reason(starting):
    service, client = starting(default="scheduler_wait_for_backends = 1", mark=".broken")
    id, group = client.create("volumes", size=1)["id"], grouped(client, "__DEFAULT__")
    client.settled("volumes", id, "error")
    client.settled("groups", group, "error")
    for job in (service.job(id), service.job(group)):
        assert job.status == "failed" and "waited 1 s for a backend that is starting or down" in job.error
        assert "the backend is down: its disk is not there" in job.error
    assert held(client) == (0, 0)
    assert {one["resource_uuid"] for one in client("GET", "/messages", expect=200)["messages"]} == {id, group}


def test_requests_that_no_backend_can_serve_fail_at_once_during_startup(starting):
    service, client = starting(default="quota_gigabytes = -1")
    service.open()
    until(lambda: all(one.started for one in service.volume.backends), "the backends to start")
    service.volume.stop(10)
    typed(client, "absent")
    ids = [client.create("volumes", size=1, volume_type="absent")["id"], client.create("volumes", size=250000)["id"]]
    group = grouped(client, "absent")
    for id in ids:
        client.settled("volumes", id, "error")
    client.settled("groups", group, "error")
    assert not any((service.job(id).decision or {}).get("waiting") for id in (*ids, group))


@pytest.mark.parametrize("number", range(3))
def test_the_first_request_of_a_fresh_installation_completes(number):
    service = Apart(target=False, sections={"file-1": FAST})
    try:
        service.launch("all")
        until(service.answers, "the API to answer")
        Client(service.url).made("volumes", size=1)
    finally:
        service.stop()
        service.remove()
