"""Exported records of backups, taken in again, also under another id, as tools that rescue a catalogue of backups do."""

import base64
import json
import os
import uuid

import pytest


@pytest.fixture
def backup(client):
    volume = client.made("volumes", size=1)
    return client.made("backups", volume_id=volume["id"])


def exported(client, id, new=None):
    record = client("GET", f"/backups/{id}/export_record", expect=200)["backup-record"]
    url = json.loads(base64.b64decode(record["backup_url"])) | {"id": new or id}
    return {**record, "backup_url": base64.b64encode(json.dumps(url).encode()).decode()}


def restored(client, id):
    volume = client("POST", f"/backups/{id}/restore", {"restore": {}}, expect=202)["restore"]["volume_id"]
    return client.settled("volumes", volume)


def test_a_record_names_the_store_as_cinder_does(client, backup):
    assert exported(client, backup["id"])["backup_service"] == "cinder.backup.drivers.posix.PosixBackupDriver"


def test_a_record_under_another_id_leads_to_the_same_data_until_both_are_deleted(client, backup, service):
    new = str(uuid.uuid4())
    client("POST", "/backups/import_record", {"backup-record": exported(client, backup["id"], new)}, expect=201)
    assert client.settled("backups", new)["object_count"] == backup["object_count"]
    client("DELETE", f"/backups/{backup['id']}", expect=202)
    client.gone("backups", backup["id"])
    assert restored(client, new)["status"] == "available"
    folder = os.path.join(service.state, "backups", client("GET", f"/backups/{new}", expect=200)["backup"]["container"])
    assert os.path.isdir(folder)
    client("DELETE", f"/backups/{new}", expect=202)
    client.gone("backups", new)
    assert not os.path.exists(folder)


def test_an_incremental_backup_finds_its_parent_under_another_id(client, service):
    volume = client.made("volumes", size=1)["id"]
    full = client.made("backups", volume_id=volume)["id"]
    new = str(uuid.uuid4())
    record = exported(client, full, new)
    client("POST", "/backups/import_record", {"backup-record": record}, expect=201)
    client.settled("backups", new)
    child = client.made("backups", volume_id=volume, incremental=True)["id"]
    assert restored(client, child)["status"] == "available"
