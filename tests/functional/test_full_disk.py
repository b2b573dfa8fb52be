"""The disk of the SQLite file is full: requests get 503 with the reason, health reports it, the service recovers."""

import contextlib
import os
import subprocess

import pytest
import requests

from tests.functional.client import Client
from tests.functional.gated import GatedDriver
from tests.functional.service import Service, until

# The calls are the same in both modes of threads.
pytestmark = pytest.mark.once

FILE = f"""
[file-1]
volume_driver = {GatedDriver.__module__}.GatedDriver
file_volume_dir = {{state}}/volumes
target_helper = nbd
[database]
connection = sqlite:///{{state}}/small/cinder.sqlite
"""


@pytest.fixture(scope="module")
def service():
    made = Service(target=False, sections={"file-1": FILE}, default="job_sweep_interval = 0.2")
    small = os.path.join(made.state, "small")
    os.mkdir(small)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", small], check=True)
    try:
        with made as running:
            yield running
            subprocess.run(["umount", "--lazy", small], check=True)
    finally:
        with contextlib.suppress(OSError):
            os.rmdir(small)


@pytest.fixture
def client(service):
    return Client(service.url)


@pytest.fixture
def full(service):
    """Fill the file system of the database; `full()` frees the space again."""
    path = os.path.join(service.state, "small", "filler")

    def fill():
        with open(path, "ab", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"\0" * 4096)

    def free():
        with contextlib.suppress(FileNotFoundError):
            os.remove(path)

    fill()
    yield free
    free()


def health(service):
    answer = requests.get(f"{service.url}/healthcheck?detailed", timeout=60, headers={"X-Auth-Token": "t:p"})
    return answer.status_code, answer.json()


def test_writes_are_refused_with_the_reason_and_work_again_with_free_space(service, client, request):
    volume = client.made("volumes", size=1)["id"]
    type_ = client("POST", "/types", {"volume_type": {"name": "one"}}, expect=200)["volume_type"]["id"]
    hold = os.path.join(service.state, "volumes", ".hold-create")
    open(hold, "w").close()
    begun = client.create("volumes", size=1)["id"]
    until(lambda: client("GET", f"/jobs?resource_id={begun}&status=running", expect=200)["jobs"], "its job to run")
    free = request.getfixturevalue("full")
    # Leftover room: what is written again and again uses it up.
    for number in range(10000):
        status, document = client("POST", "/types", {"volume_type": {"name": f"more-{number}",
                                                                     "description": "x" * 200}})
        assert status in (200, 503), document
        if status == 503:
            break
    assert document["serviceUnavailable"]["message"].startswith("The database cannot be used at the moment: its disk "
                                                                "is full.")
    for method, path, body in (
            ("POST", "/volumes", {"volume": {"size": 1, "name": "n" * 200}}),
            ("PUT", f"/volumes/{volume}", {"volume": {"description": "d" * 200}}),
            ("POST", f"/volumes/{volume}/metadata", {"metadata": {"k": "v" * 200}}),
            ("POST", "/snapshots", {"snapshot": {"volume_id": volume}}),
            ("POST", "/backups", {"backup": {"volume_id": volume}}),
            ("POST", "/attachments", {"attachment": {"volume_uuid": volume, "instance_uuid": volume}}),
            ("POST", f"/volumes/{volume}/action", {"os-extend": {"new_size": 2}}),
            ("POST", f"/types/{type_}/extra_specs", {"extra_specs": {"k": "v" * 200}}),
            ("POST", "/group_types", {"group_type": {"name": "g"}}),
            ("PUT", f"/os-quota-sets/{client.project}", {"quota_set": {"volumes": 11}}),
            ("DELETE", f"/types/{type_}", None),
            ("DELETE", f"/volumes/{volume}", None)):
        status, document = client(method, path, body)
        assert (status, "its disk is full" in str(document)) == (503, True), (method, path, document)
    assert client("GET", f"/volumes/{volume}", expect=200)["volume"]["status"] == "available"
    status, found = health(service)
    assert (status, found["healthy"], found["database"]["up"]) == (503, False, True)
    assert any("refuses to be written: its disk is full" in problem for problem in found["problems"])
    os.remove(hold)
    free()
    client.settled("volumes", begun)
    client.made("volumes", size=1)
    client("DELETE", f"/volumes/{volume}", expect=202)
    client.gone("volumes", volume)
    until(lambda: health(service)[0] == 200, "it to be healthy again")
