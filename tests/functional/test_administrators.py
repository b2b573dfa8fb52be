"""Forced deletion and reset-state during operations leave nothing behind."""

import os

import pytest

from cinder_lite.doctor import Doctor
from tests.functional.client import Client
from tests.functional.service import Service, until

SECTION = """
[{name}]
volume_driver = tests.functional.gated.GatedDriver
volume_backend_name = {name}
file_volume_dir = {{state}}/{name}
target_port = {{target_port}}
tgt_control_port = {{control_port}}
"""


@pytest.fixture(scope="module")
def service():
    sections = {name: SECTION.format(name=name) for name in ("one", "two")}
    with Service(backends=("one", "two"), sections=sections,
                 default="job_sweep_interval = 0.2\nquota_volumes = 100") as running:
        yield running


@pytest.fixture
def client(service):
    return Client(service.url)


@pytest.fixture
def gate(service):
    """gate(word, backend="one") creates the file of the word and returns a function that removes it."""
    made = []

    def shut(word, backend="one"):
        path = os.path.join(service.state, backend, f".{word}")
        open(path, "w").close()
        made.append(path)
        return lambda: os.remove(path)

    yield shut
    for path in made:
        if os.path.exists(path):
            os.remove(path)


@pytest.fixture(scope="module")
def types(service):
    client = Client(service.url)
    return {name: client.type_of(name)["id"] for name in ("one", "two")}


def sound(service, client):
    """Nothing is under way any more and nothing is off."""
    until(lambda: all(job["status"] in ("succeeded", "failed") for job in client("GET", "/jobs", expect=200)["jobs"]),
          "the jobs to end")
    report = Doctor(service.process.db, service.conf, pause=0.1).examine()
    assert report.violations == []


def act(client, id, expect=202, **action):
    return client("POST", f"/volumes/{id}/action", action, expect=expect)


def test_reset_during_extend_gives_the_extra_size_back(service, client, gate, types):
    volume = client.made("volumes", size=1, volume_type="one")
    opened = gate("hold-extend")
    act(client, volume["id"], **{"os-extend": {"new_size": 3}})
    act(client, volume["id"], **{"os-reset_status": {"status": "available"}})
    opened()
    sound(service, client)
    assert client.settled("volumes", volume["id"])["size"] == 1


def test_forced_delete_during_extend_leaves_nothing(service, client, gate, types):
    volume = client.made("volumes", size=1, volume_type="one")
    opened = gate("hold-extend")
    act(client, volume["id"], **{"os-extend": {"new_size": 3}})
    act(client, volume["id"], **{"os-force_delete": {}})
    opened()
    client.gone("volumes", volume["id"])
    sound(service, client)


def test_forced_delete_during_create_leaves_nothing(service, client, gate, types):
    opened = gate("hold-create")
    volume = client.create("volumes", size=1, volume_type="one")
    until(lambda: client("GET", f"/jobs?resource_id={volume['id']}&status=running", expect=200)["jobs"], "the create")
    act(client, volume["id"], **{"os-force_delete": {}})
    opened()
    client.gone("volumes", volume["id"])
    sound(service, client)


def test_forced_delete_of_a_running_backup_releases_its_volume(service, client, gate, types):
    volume = client.made("volumes", size=1, volume_type="one")
    snapshot = client.made("snapshots", volume_id=volume["id"])
    opened = gate("hold-snapshot_path")
    backup = client.create("backups", volume_id=volume["id"], snapshot_id=snapshot["id"])
    until(lambda: client("GET", f"/jobs?resource_id={backup['id']}&status=running", expect=200)["jobs"], "the backup")
    client("POST", f"/backups/{backup['id']}/action", {"os-force_delete": {}}, expect=202)
    opened()
    client.gone("backups", backup["id"])
    client.settled("snapshots", snapshot["id"])
    sound(service, client)


def test_forced_delete_of_a_volume_restored_from_a_backup_releases_the_backup(service, client, gate, types):
    volume = client.made("volumes", size=1, volume_type="one")
    backup = client.made("backups", volume_id=volume["id"])
    opened = gate("hold-create", "two")
    copy = client.create("volumes", backup_id=backup["id"], volume_type="two")
    until(lambda: client("GET", f"/jobs?resource_id={copy['id']}&status=running", expect=200)["jobs"], "the create")
    act(client, copy["id"], **{"os-force_delete": {}})
    opened()
    client.gone("volumes", copy["id"])
    client.settled("backups", backup["id"])
    sound(service, client)


def test_cascade_over_a_failed_snapshot_keeps_the_quota_right(service, client, gate, types):
    volume = client.made("volumes", size=1, volume_type="one")
    opened = gate("fail-create_snapshot")
    snapshot = client.create("snapshots", volume_id=volume["id"])
    client.settled("snapshots", snapshot["id"], "error")
    opened()
    client("DELETE", f"/volumes/{volume['id']}?cascade=true", expect=202)
    client.gone("volumes", volume["id"])
    sound(service, client)


def test_readonly_flag_and_metadata_of_the_same_name(service, client, types):
    volume = client.made("volumes", size=1, volume_type="one", metadata={"readonly": "mine"})
    act(client, volume["id"], **{"os-update_readonly_flag": {"readonly": True}})
    assert client("GET", f"/volumes/{volume['id']}", expect=200)["volume"]["metadata"] == {"readonly": "True"}
    assert client("GET", "/volumes?metadata={'readonly': 'True'}", expect=200)["volumes"][0]["id"] == volume["id"]
    sound(service, client)


def test_old_detach_takes_the_export_back(service, client, types):
    volume = client.made("volumes", size=1, volume_type="one")
    connector = {"host": "client", "initiator": "iqn.1993-08.org.example:client", "ip": "127.0.0.1"}
    act(client, volume["id"], **{"os-reserve": {}})
    act(client, volume["id"], 200, **{"os-initialize_connection": {"connector": connector}})
    act(client, volume["id"], **{"os-attach": {"instance_uuid": "6a2f5c33-9c35-4b7b-9a2d-2f0c2f7b9c11",
                                               "mountpoint": "/dev/vdb"}})
    target = service.volume.backends[0].backend.target
    assert f"volume-{volume['id']}" in target.exported()
    act(client, volume["id"], **{"os-begin_detaching": {}})
    act(client, volume["id"], **{"os-terminate_connection": {"connector": connector}})
    act(client, volume["id"], **{"os-detach": {}})
    client.settled("volumes", volume["id"])
    assert f"volume-{volume['id']}" not in target.exported()
    sound(service, client)


def test_create_goes_to_another_backend_when_one_fails(service, client, gate):
    gate("fail-create", "one")
    volumes = [client.made("volumes", size=1) for _ in range(4)]
    hosts = {client("GET", f"/volumes/{one['id']}", expect=200)["volume"]["os-vol-host-attr:host"] for one in volumes}
    assert hosts == {"test@two#two"}
    gate("fail-create", "two")
    failed = client.settled("volumes", client.create("volumes", size=1)["id"], "error")
    said = client("GET", f"/messages?resource_uuid={failed['id']}", expect=200)["messages"][0]["user_message"]
    assert "create was made to fail" in said
    client("DELETE", f"/volumes/{failed['id']}", expect=202)
    client.gone("volumes", failed["id"])
    sound(service, client)


def test_frozen_backend_takes_no_creates_deletes_and_snapshots(service, client, types):
    volume = client.made("volumes", size=1, volume_type="one")
    snapshot = client.made("snapshots", volume_id=volume["id"])
    client("PUT", "/os-services/freeze", {"host": "test@one"}, expect=200)
    refused = [client("DELETE", f"/volumes/{volume['id']}?cascade=true"),
               client("DELETE", f"/snapshots/{snapshot['id']}"),
               client("POST", "/snapshots", {"snapshot": {"volume_id": volume["id"]}}),
               client("POST", f"/volumes/{volume['id']}/action", {"os-extend": {"new_size": 2}})]
    assert [status for status, _ in refused] == [400] * 4
    assert all("frozen" in body["badRequest"]["message"] for _, body in refused)
    unplaced = client.settled("volumes", client.create("volumes", size=1, volume_type="one")["id"], "error")
    said = client("GET", f"/messages?resource_uuid={unplaced['id']}", expect=200)["messages"][0]
    assert "frozen" in said["user_message"]
    client("PUT", "/os-services/thaw", {"host": "test@one"}, expect=200)
    client("DELETE", f"/volumes/{volume['id']}?cascade=true", expect=202)
    client.gone("volumes", volume["id"])
    client("DELETE", f"/volumes/{unplaced['id']}", expect=202)
    sound(service, client)
