"""Services that are down while jobs wait for them: doctor, explain and --wait report them."""

import os
import subprocess
import sys

import pytest
import requests

from cinder_lite import conf, db, states
from cinder_lite.api import listener
from cinder_lite.client import local
from cinder_lite.db import migrate, schema
from cinder_lite.service import process
from cinder_lite.service.api import ApiService
from cinder_lite.service.interfaces import INTERFACES
from cinder_lite.service.scheduler import SchedulerService
from tests.functional.client import Client
from tests.functional.fixtures import Roles
from tests.functional.service import Service, until
from tests.functional.test_client_shell import RUN

AWAY = "test@null-1"


class Alone(Service):
    """The API and nothing else."""

    def start(self):
        self.conf = conf.load(argv=["--config-file", self.config_file])
        self.process = process.Process(self.conf, INTERFACES)
        migrate.sync(self.process.db)
        self.services = [ApiService(self.process, listener.listen(self.conf))]
        self.services[0].application.authenticate = Roles()
        self.services[0].start()
        return self


@pytest.fixture
def service():
    with Alone(backends=("null-1",), target=False) as running:
        yield running


@pytest.fixture
def client(service):
    return Client(service.url, local.PROJECT)


@pytest.fixture
def started(service, tmp_path):
    """Starts cinder-lite with these words."""
    running = []

    def start(*words):
        error = open(tmp_path / "error", "w+")
        running.append(subprocess.Popen(
            [sys.executable, "-c", RUN, *words], stdout=subprocess.PIPE, stderr=error, text=True, cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": os.getcwd(), "CINDER_LITE_ENDPOINT": service.url}))
        return running[-1], lambda: (tmp_path / "error").read_text()

    yield start
    for one in running:
        one.kill()
        one.wait()


def problems(service):
    answer = requests.get(f"{service.url}/healthcheck?detailed", timeout=60,
                          headers={"X-Auth-Token": f"t:{local.PROJECT}"})
    return answer.status_code, answer.json()["problems"]


def scheduled_once(service):
    """A scheduler was there, and has ended."""
    scheduler = SchedulerService(service.process)
    scheduler.lock.acquire()
    scheduler.heartbeat.start()
    scheduler.heartbeat.stop()
    scheduler.lock.release()


def test_an_api_without_other_services_is_unhealthy(service, client, started):
    status, found = problems(service)
    assert (status, found) == (503, ["no scheduler has been started yet: start one",
                                     "no volume service has been started yet: start one"])
    process_, errors = started("create", "1", "--name", "first", "--wait")
    volume = until(lambda: client("GET", "/volumes", expect=200)["volumes"], "the volume")[0]["id"]
    until(lambda: f"create of volume {volume} is waiting: no scheduler has been started yet" in errors(), "the reason")
    assert process_.poll() is None
    status, found = problems(service)
    assert status == 503 and found[0].startswith(f"create of volume {volume} has been waiting for the scheduler for ")
    assert "no scheduler has been started yet; start it" in found[0]
    scheduled_once(service)
    until(lambda: f"create of volume {volume} is waiting: no scheduler is up since " in errors(), "the time")
    explained, _ = started("explain", volume)
    assert "waiting: no scheduler is up since 2" in explained.communicate(timeout=60)[0]
    doctor, _ = started("doctor")
    said = doctor.communicate(timeout=60)[0]
    assert doctor.returncode == 1
    assert f"of volume {volume} has been waiting for the scheduler for" in said and "No problems found" not in said
    client.create("volumes", size=1)
    assert any(", and 1 more: no scheduler is up since " in one for one in problems(service)[1])


@pytest.mark.parametrize("stage, binary, name", [("volume", "cinder-volume",
                                                  "the volume service test@null-1 is down since 2"),
                                                 ("backup", "cinder-backup",
                                                  "the backup service on test@null-1 is down since 2"),
                                                 ("scheduler", "cinder-scheduler", "no scheduler is up since 2")])
def test_members_get_the_reason_without_names(service, client, stage, binary, name):
    with service.process.db.write() as tx:
        tx.execute(schema.services.insert().values(uuid="1" * 36, binary=binary, host=AWAY, availability_zone="nova",
                                                   seen_at=db.parse_time("2026-01-01T00:00:00"), created_at=db.now()))
        tx.execute(schema.jobs.insert().values(
            id="5" * 36, project_id=client.project, kind="volume", resource_id="6" * 36, action="extend", stage=stage,
            args={},
            host=None if stage == "scheduler" else AWAY, status=states.QUEUED, created_at=db.now()))
    job, = client("GET", "/jobs", expect=200)["jobs"]
    assert job["waits_for"].startswith(name)
    job, = client("GET", "/jobs", expect=200, **{"X-Roles": "member,reader"})["jobs"]
    assert job["waits_for"] == "the service that does this is not up"
    assert client("GET", f"/jobs/{job['id']}", expect=200,
                  **{"X-Roles": "member,reader"})["job"]["waits_for"] == job["waits_for"]
    assert any(name in problem for problem in problems(service)[1])


def test_completed_jobs_wait_for_nothing(service, client):
    with service.process.db.write() as tx:
        for number, (status, owner) in enumerate(((states.SUCCEEDED, None), (states.FAILED, None),
                                                  (states.RUNNING, "o"))):
            tx.execute(schema.jobs.insert().values(
                id=str(number) * 36, project_id=client.project, kind="volume", resource_id="6" * 36, action="extend",
                stage="volume", args={}, host=AWAY, status=status, owner=owner, created_at=db.now(),
                lease_until=db.parse_time("2100-01-01T00:00:00") if owner else None))
    assert [job["waits_for"] for job in client("GET", "/jobs", expect=200)["jobs"]] == [None] * 3
