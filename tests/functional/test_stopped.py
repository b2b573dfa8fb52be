"""Reset-state and forced deletion end all work on the resource; nothing is written to it afterwards."""

import os
import threading

import pytest

from cinder_lite import concurrency
from cinder_lite.service.backup import BackupService
from tests.functional.client import Client
from tests.functional.service import Service, until
from tests.functional.test_administrators import SECTION, sound

DATA, MINE = os.urandom(1024**2), os.urandom(1024**2)


@pytest.fixture(scope="module")
def service():
    with Service(backends=("one",), sections={"one": SECTION.format(name="one")},
                 default="job_sweep_interval = 0.2") as running:
        yield running


@pytest.fixture
def client(service):
    return Client(service.url)


@pytest.fixture
def held_store(service):
    """A store whose reads are blocked: (reached, release)."""
    store = next(one for one in service.services if isinstance(one, BackupService)).store
    native = concurrency.native("threading")
    reached, opened, get = native.Event(), native.Event(), store.get

    def held(name, *arguments):
        if not name.endswith(("manifest", "index")):
            reached.set()
            opened.wait(60)
        return get(name, *arguments)

    store.get = held
    yield reached, opened
    opened.set()
    store.get = get


@pytest.fixture
def gate(service):
    made = []

    def shut(word):
        path = os.path.join(service.state, "one", f".{word}")
        open(path, "w").close()
        made.append(path)
        return lambda: os.path.exists(path) and os.remove(path)

    yield shut
    for path in made:
        if os.path.exists(path):
            os.remove(path)


def status(client, kind, id):
    return client("GET", f"/{kind}/{id}", expect=200)[kind[:-1]]["status"]


def act(client, kind, id, **action):
    return client("POST", f"/{kind}/{id}/action", action, expect=202)


def content(service, id):
    with open(os.path.join(service.state, "one", f"volume-{id}"), "rb") as file:
        return file.read(len(DATA))


@pytest.fixture
def backup(service, client):
    volume = client.made("volumes", size=1)["id"]
    with open(os.path.join(service.state, "one", f"volume-{volume}"), "r+b") as file:
        file.write(DATA)
    return client.made("backups", volume_id=volume)["id"]


def test_a_restore_writes_nothing_after_a_reset_of_its_volume(service, client, backup, held_store):
    reached, opened = held_store
    target = client.made("volumes", size=1)["id"]
    client("POST", f"/backups/{backup}/restore", {"restore": {"volume_id": target}}, expect=202)
    until(reached.is_set, "the restore to read")
    reset = threading.Thread(target=act, args=(Client(service.url), "volumes", target), kwargs={
        "os-reset_status": {"status": "available"}})
    reset.start()
    # Nobody is given the volume while somebody may still write to it.
    until(lambda: status(client, "volumes", target) == "error_restoring", "the restore to be ended")
    assert client("POST", "/attachments", {"attachment": {"volume_uuid": target}})[0] == 400
    opened.set()
    reset.join()
    assert status(client, "volumes", target) == "available"
    with open(os.path.join(service.state, "one", f"volume-{target}"), "r+b") as file:
        file.write(MINE)
    client.settled("backups", backup)
    sound(service, client)
    assert content(service, target) == MINE


def attached(client, volume):
    """Attach the volume to a server; the attachment's id."""
    made = client("POST", "/attachments", {"attachment": {
        "volume_uuid": volume, "instance_uuid": "6a2f5c33-9c35-4b7b-9a2d-2f0c2f7b9c11", "connector": {"host": "h"}}},
        expect=200)["attachment"]["id"]
    client("POST", f"/attachments/{made}/action", {"os-complete": {}}, expect=204)
    return made


@pytest.mark.parametrize("end", ["os-reset_status", "os-force_delete"])
def test_reset_and_forced_delete_of_a_volume_end_its_backup(service, client, gate, end):
    """The frozen copy goes, also when the volume is gone."""
    volume = client.made("volumes", size=1)["id"]
    attached(client, volume)
    opened = gate("hold-snapshot_path")
    id = client.create("backups", volume_id=volume, force=True)["id"]
    until(lambda: os.path.exists(os.path.join(service.state, "one", f"snapshot-{id}")), "the frozen copy")
    if end == "os-force_delete":
        act(client, "volumes", volume, **{"os-reset_status": {"status": "available", "attach_status": "detached"}})
        act(client, "volumes", volume, **{end: {}})
    else:
        act(client, "volumes", volume, **{end: {"status": "in-use"}})
    opened()
    found = until(lambda: (one := client("GET", f"/backups/{id}", expect=200)["backup"])["status"] == "error" and one,
                  "the backup to end")
    assert "administrator" in found["fail_reason"]
    if end == "os-force_delete":
        client.gone("volumes", volume)
    sound(service, client)


def test_a_frozen_copy_that_cannot_be_removed_at_the_end_of_its_backup_is_removed_later(service, client, gate):
    volume = client.made("volumes", size=1)["id"]
    made = attached(client, volume)
    passing = gate("fail-delete_snapshot")
    id = client.made("backups", volume_id=volume, force=True)["id"]
    copy = os.path.join(service.state, "one", f"snapshot-{id}")
    assert os.path.exists(copy)
    passing()
    until(lambda: not os.path.exists(copy), "the frozen copy to go")
    client("DELETE", f"/attachments/{made}", expect=200)
    sound(service, client)


def test_forced_delete_of_a_snapshot_ends_its_backup(service, client, gate):
    volume = client.made("volumes", size=1)["id"]
    snapshot = client.made("snapshots", volume_id=volume)["id"]
    opened = gate("hold-snapshot_path")
    id = client.create("backups", volume_id=volume, snapshot_id=snapshot)["id"]
    act(client, "snapshots", snapshot, **{"os-force_delete": {}})
    opened()
    client.gone("snapshots", snapshot)
    until(lambda: status(client, "backups", id) == "error", "the backup to end")
    sound(service, client)


def test_a_snapshot_that_is_deleted_while_its_volume_is_given_away_is_counted_once(service, client, gate):
    """The delete releases the quota of the present owner."""
    other = Client(service.url, project="b0000000000000000000000000000002")
    volume = client.made("volumes", size=1)["id"]
    snapshot = client.made("snapshots", volume_id=volume)["id"]
    offer = client("POST", "/volume-transfers", {"transfer": {"volume_id": volume}}, expect=202)["transfer"]
    opened = gate("hold-delete_snapshot")
    client("DELETE", f"/snapshots/{snapshot}", expect=202)
    other("POST", f"/volume-transfers/{offer['id']}/accept", {"accept": {"auth_key": offer["auth_key"]}}, expect=202)
    opened()
    other.gone("snapshots", snapshot)
    sound(service, client)
