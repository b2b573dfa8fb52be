"""A hanging backend slows only its own requests: waiting requests are bounded, others continue."""

import os
import threading

import pytest
import requests

from cinder_lite.concurrency import bulkhead
from tests.functional.client import Client
from tests.functional.service import Service, until

SECTIONS = {
    "hung": """
[hung]
volume_driver = tests.functional.gated.GatedDriver
file_volume_dir = {state}/hung
target_helper = tests.functional.gated.GatedTarget
""",
    "other": """
[other]
volume_driver = file
file_volume_dir = {state}/other
target_helper = nbd
"""}
CONNECTOR = {"host": "one", "initiator": "iqn.2026-01.org.example:one"}
DEFAULT = ("osapi_volume_threads = 10\nrpc_max_waiting = 2\nrpc_reply_timeout = 600\nbackup_max_operations = 2\n"
           "job_sweep_interval = 0.2")


@pytest.fixture(scope="module")
def service():
    with Service(backends=("hung", "other"), sections=SECTIONS, default=DEFAULT, target=False) as running:
        client = Client(running.url)
        for name in ("hung", "other"):
            client.type_of(name)
        yield running


@pytest.fixture
def client(service):
    return Client(service.url)


def initialize(service, id):
    """Its answer."""
    return requests.post(
        f"{service.url}/v3/{Client(service.url).project}/volumes/{id}/action",
        json={"os-initialize_connection": {"connector": CONNECTOR}},
        headers={"X-Auth-Token": f"tester:{Client(service.url).project}", "OpenStack-API-Version": "volume 3.71"},
        timeout=120)


def test_requests_to_one_backend_do_not_block_others(service, client):
    ids = [client.made("volumes", size=1, volume_type="hung")["id"] for _ in range(3)]
    gate = os.path.join(service.state, "targets", "hung", ".hold-before-export")
    os.makedirs(os.path.dirname(gate), exist_ok=True)
    open(gate, "w").close()
    answers = []
    asking = [threading.Thread(target=lambda id=id: answers.append(initialize(service, id))) for id in ids * 6]
    try:
        for thread in asking:
            thread.start()
        until(lambda: len(answers) == len(asking) - 2, "all but those that may wait to be refused")
        assert {(one.status_code, one.headers["Retry-After"]) for one in answers} == {(503, "5")}
        assert requests.get(f"{service.url}/healthcheck", timeout=60).ok
        assert len(client("GET", "/volumes/detail", expect=200)["volumes"]) >= 3
        assert initialize(service, client.made("volumes", size=1, volume_type="other")["id"]).ok
    finally:
        os.unlink(gate)
    for thread in asking:
        thread.join()
    assert sorted(one.status_code for one in answers)[:2] == [200, 200]
    assert initialize(service, ids[0]).ok


def test_backups_that_wait_for_a_backend_do_not_block_others(service, client):
    volume, other = (client.made("volumes", size=1, volume_type=name)["id"] for name in ("hung", "other"))
    done = client.made("backups", volume_id=other)
    snapshots = [client.made("snapshots", volume_id=volume)["id"] for _ in range(3)]
    gate = os.path.join(service.state, "hung", ".hold-snapshot_path")
    open(gate, "w").close()
    try:
        waiting = [client.create("backups", volume_id=volume, snapshot_id=one, incremental=False)["id"]
                   for one in snapshots]
        until(lambda: len(service.process.waiting.held.keys() - {bulkhead.ALL}) == 1,
              "a backup to wait for the backend")
        client.made("backups", volume_id=other)
        client("DELETE", f"/backups/{done['id']}", expect=202)
        client.gone("backups", done["id"])
        assert all(client("GET", f"/backups/{id}", expect=200)["backup"]["status"] == "creating" for id in waiting)
    finally:
        os.unlink(gate)
    for id in waiting:
        client.settled("backups", id)
