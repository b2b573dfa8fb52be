"""/healthcheck: liveness for load balancers, problems with remedies for administrators."""

import datetime
import threading
import types
import uuid

import pytest
import requests
import sqlalchemy as sa

from cinder_lite import db, states
from cinder_lite.db import schema
from cinder_lite.observe import health, metrics
from cinder_lite.service.api import ApiService
from tests.functional.client import PROJECT, Client
from tests.functional.service import Service, until

LONG_AGO = datetime.timedelta(hours=1)


@pytest.fixture(scope="module")
def flag(tmp_path_factory):
    """The file that removes a host from its load balancer."""
    return tmp_path_factory.mktemp("health") / "maintenance"


@pytest.fixture(scope="module")
def service(flag):
    with Service(backends=("null-1",), target=False,
                 sections={"null-1": f"[null-1]\nvolume_driver = null\n[healthcheck]\ndisable_by_file_path = "
                                     f"{flag}"}) as running:
        yield running


def detailed(service):
    answer = requests.get(f"{service.url}/healthcheck?detailed", timeout=60,
                          headers={"X-Auth-Token": f"tester:{PROJECT}"})
    return answer.status_code, answer.json()


@pytest.fixture
def row(service):
    """Insert a row that is gone after the test: row(table, columns)."""
    added = []

    def add(table, **values):
        with service.process.db.write() as tx:
            id = tx.execute(sa.insert(table).values(created_at=db.now() - LONG_AGO, **values)).inserted_primary_key[0]
        added.append((table, id))

    yield add
    with service.process.db.write() as tx:
        for table, id in added:
            tx.execute(sa.delete(table).where(table.c.id == id))


def test_without_a_token_only_liveness_is_shown(service):
    assert requests.get(f"{service.url}/healthcheck", timeout=60).text == "OK"
    answer = requests.get(f"{service.url}/healthcheck?detailed", timeout=60)
    assert answer.status_code == 401 and "cinder" not in answer.text


def test_a_healthy_service_has_no_problems(service):
    status, found = detailed(service)
    assert (status, found["healthy"], found["problems"]) == (200, True, [])
    assert {(one["binary"], one["up"]) for one in found["services"]} == {
        ("cinder-volume", True), ("cinder-scheduler", True), ("cinder-backup", True)}


def test_a_service_that_is_down_is_named_unless_it_is_disabled(service, row):
    row(schema.services, uuid=str(uuid.uuid4()), binary="cinder-backup", host="gone", availability_zone="nova",
        seen_at=db.now() - LONG_AGO)
    row(schema.services, uuid=str(uuid.uuid4()), binary="cinder-backup", host="retired", availability_zone="nova",
        disabled=True)
    status, found = detailed(service)
    assert status == 503
    assert [problem.partition(",")[0] for problem in found["problems"]] == ["cinder-backup on gone is down"]


def test_a_backend_that_is_down_is_named_with_its_reason(service, row):
    row(schema.services, uuid=str(uuid.uuid4()), binary="cinder-volume", host="h@lvm", availability_zone="nova",
        seen_at=db.now(), backend_up=False, backend_reason="there is no volume group v")
    assert detailed(service)[1]["problems"] == ["the backend h@lvm is down: there is no volume group v"]


def test_an_unclaimed_job_is_reported(service, row):
    volume = str(uuid.uuid4())
    job = {"project_id": PROJECT, "kind": "volume", "args": {}, "resource_id": volume, "stage": "volume",
           "host": "h@away"}
    row(schema.jobs, id=str(uuid.uuid4()), action="extend", status=states.QUEUED, **job)
    status, found = detailed(service)
    assert (status, found["jobs"]["queued"], found["jobs"]["oldest_unclaimed"]["resource_id"]) == (503, 1, volume)
    assert found["jobs"]["oldest_unclaimed"]["seconds"] >= LONG_AGO.total_seconds()
    assert found["problems"][0].startswith(f"extend of volume {volume} has been waiting for the volume service on "
                                           f"h@away for ")


def test_a_file_takes_a_host_out_of_the_load_balancer(service, flag):
    flag.touch()
    answer = requests.get(f"{service.url}/healthcheck", timeout=60)
    assert (answer.status_code, answer.text) == (503, "DISABLED BY FILE")
    assert detailed(service)[0] == 200
    flag.unlink()
    assert requests.get(f"{service.url}/healthcheck", timeout=60).status_code == 200


class Hanging:
    """A database that answers nothing until it is released."""

    trouble = None

    def __init__(self):
        self.released = threading.Event()

    def read(self):
        self.released.wait(60)
        raise db.Unreachable("released")


def test_a_database_that_hangs_is_named(service, monkeypatch):
    monkeypatch.setattr(health, "DATABASE_TIMEOUT", 0.1)
    hanging = Hanging()
    shared = types.SimpleNamespace(conf=service.conf, db=hanging, transport=service.process.transport,
                                   waiting=service.process.waiting)
    try:
        found = health.examine(shared)
    finally:
        hanging.released.set()
    assert found["problems"] == ["the database cannot be used: it has not answered within 0.1 s"]


def test_the_metric_of_a_database_that_hangs_is_0(monkeypatch):
    monkeypatch.setattr(metrics, "DATABASE_TIMEOUT", 0.1)
    hanging = Hanging()
    try:
        assert list(metrics.standing(hanging, 60)) == [("database_up", (), 0)]
    finally:
        hanging.released.set()


def test_an_api_that_stops_serves_until_load_balancers_have_left_it():
    sections = {"null-1": "[null-1]\nvolume_driver = null\n[healthcheck]\nstop_delay = 5"}
    with Service(backends=("null-1",), target=False, sections=sections) as service:
        api = service.services.pop()
        assert isinstance(api, ApiService)
        ending = threading.Thread(target=api.stop, args=(60,))
        ending.start()
        until(lambda: requests.get(f"{service.url}/healthcheck", timeout=60).status_code == 404, "it to stop")
        assert Client(service.url)("GET", "/volumes")[0] == 200
        ending.join()
        with pytest.raises(requests.ConnectionError):
            requests.get(f"{service.url}/healthcheck", timeout=60)
