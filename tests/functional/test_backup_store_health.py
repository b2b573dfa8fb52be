"""A backup store that is not usable is reported before a backup fails, and its recovery is detected."""

import pathlib

import pytest
import requests

from cinder_lite.db import services
from tests.functional.client import PROJECT, Client
from tests.functional.service import Service, until

FILE = """
[file-1]
volume_driver = file
file_volume_dir = {state}/volumes
target_helper = nbd
"""


@pytest.fixture
def service():
    service = Service(default="backup_check_interval = 1", sections={"file-1": FILE}, target=False)
    real(service).mkdir()
    point(service, real(service))
    with service as running:
        yield running


def real(service):
    return pathlib.Path(service.state, "real")


def point(service, where):
    """Replace the path of the store atomically."""
    link = pathlib.Path(service.state, "backups")
    new = link.with_name("new")
    new.symlink_to(where)
    new.replace(link)


@pytest.fixture
def client(service):
    return Client(service.url)


def problems(service):
    answer = requests.get(f"{service.url}/healthcheck?detailed", timeout=60,
                          headers={"X-Auth-Token": f"tester:{PROJECT}"})
    return answer.json()["problems"]


def status(service):
    [backup] = [one for one in service.services if one.status().startswith("backup: ")]
    return backup.status()


def state(client):
    [backup] = client("GET", "/os-services?binary=cinder-backup", expect=200)["services"]
    return backup["state"]


def test_a_failed_store_is_reported_and_a_repaired_store_is_used(service, client):
    volume = client.made("volumes", size=1)["id"]
    assert (problems(service), state(client)) == ([], "up")

    file = pathlib.Path(service.state, "file")
    file.write_text("no directory")
    point(service, file)
    until(lambda: problems(service), "the problem")
    [problem] = problems(service)
    assert problem.startswith("the store of cinder-backup on test cannot be used: cannot use backup_posix_path "
                              ""), problem
    assert state(client) == "down"
    assert "store down (cannot use backup_posix_path" in status(service)
    with service.process.db.read() as tx:
        assert services.find(tx, "cinder-backup", "test").seen_at is not None
    refused = client("POST", "/backups", {"backup": {"volume_id": volume}}, expect=503)["serviceUnavailable"]["message"]
    assert "cannot use backup_posix_path" not in refused  # where it lies is for operators
    assert refused == "Service cinder-backup could not be found: none is up, enabled and able to use its store."

    point(service, real(service))
    until(lambda: problems(service) == [], "the store to be used again")
    assert (state(client), "store down" in status(service)) == ("up", False)
    assert client.made("backups", volume_id=volume)["status"] == "available"
