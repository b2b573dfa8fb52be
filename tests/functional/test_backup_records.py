"""Export and import of backup records, also under another id."""

import base64
import json
import os
import uuid

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cinder_lite.doctor import Doctor
from cinder_lite.jobs.lifecycle import BACKUP
from tests.functional.client import PROJECT, Client
from tests.functional.service import until


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


def test_a_record_imported_under_another_id_shares_the_data_until_both_are_deleted(client, backup, service):
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


# -- records that nobody exported so

def decoded(client, id):
    record = client("GET", f"/backups/{id}/export_record", expect=200)["backup-record"]
    return record["backup_service"], json.loads(base64.b64decode(record["backup_url"]))


def encoded(document):
    return base64.b64encode(json.dumps(document).encode()).decode()


def imported(client, service, document):
    """Return the status of the response. An accepted import ends, can be shown, and can be deleted."""
    url = document if isinstance(document, str) else encoded(document)
    status, answer = client("POST", "/backups/import_record", {"backup-record": {
        "backup_service": service, "backup_url": url}})
    assert status in (201, 400), answer
    if status == 201:
        id = answer["backup"]["id"]
        found = until(lambda: (one := client("GET", f"/backups/{id}", expect=200)["backup"])["status"] != "creating"
                      and one,
                      f"the import of {id}")
        assert found["status"] == "available" or found["fail_reason"]
        client("DELETE", f"/backups/{id}", expect=202)
        client.gone("backups", id)
    return status


@pytest.fixture(scope="module")
def known(service):
    """(service, document) of a backup that is no more, but lies in the store under another id."""
    client = Client(service.url)
    # Records with any size are judged, not the quota.
    client("PUT", f"/os-quota-sets/{PROJECT}", {"quota_set": {"backup_gigabytes": -1}}, expect=200)
    volume = client.made("volumes", size=1)["id"]
    id = client.made("backups", volume_id=volume)["id"]
    return decoded(client, id)


NEW = "11111111-2222-4333-8444-555555555555"
WRONG = {
    "no volume_record": {"volume_record": ...}, "a text for it": {"volume_record": "text"},
    "a list for it": {"volume_record": []},
    "metadata of numbers": {"volume_record": {"metadata": {"a": 1}}}, "no facts": {"facts": ...},
    "facts that are a list": {"facts": []},
    "facts that are a text": {"facts": "backup_x"}, "facts of numbers": {"facts": {"service_metadata": 7}},
    "facts that lead elsewhere": {"facts": {"service_metadata": "../../etc"}},
    "a container elsewhere": {"container": "../.."},
    "an absolute container": {"container": "/etc"}, "a hidden container": {"container": ".incoming"},
    "no container": {"container": None},
    "a container with an empty part": {"container": "a//b"}, "its own parent": {"parent_id": NEW},
    "a parent that is no id": {"parent_id": "x"},
    "a size below 0": {"size": -5000}, "a size of 0": {"size": 0}, "a size that is text": {"size": "abc"},
    "half a size": {"size": 1.5},
    "true for a size": {"size": True}, "a huge size": {"size": 2**31}, "an id that is a path": {"id": "../../x"},
    "an id in upper case":
    {"id": NEW.upper().replace("5", "A")}, "a number for an id": {"id": 7}, "no volume": {"volume_id": None},
    "a NUL": {"name": "a\0b"},
    "a long name": {"name": "x" * 256}, "no time": {"data_timestamp": "yesterday"}, "a time out of range":
    {"data_timestamp": "0001-01-01T00:00:00+14:00"}, "another version": {"version": 2}, "no version": {"version": ...},
    "an unknown key": {"colour": "red"}, "metadata that is a list": {"metadata": []},
    "a count that is text": {"object_count": "1"},
}


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_a_record_that_no_service_exported_is_refused(client, known, change):
    service, document = known
    assert imported(client, service, {key: value for key, value in {**document, "id": NEW, **change}.items()
                                      if value is not ...}) == 400


@pytest.mark.parametrize("text", ["", "e30=", "bnVsbA==", "W10=", "Ig==", "not base64", "eyJpZCI6",
                                  encoded({"id": NEW})])
def test_an_invalid_record_is_refused(client, text):
    assert client("POST", "/backups/import_record", {"backup-record": {
        "backup_service": "cinder.backup.drivers.posix.PosixBackupDriver", "backup_url": text}})[0] == 400


def test_a_backup_of_another_size_than_its_record_ends_in_error(client, known):
    service, document = known
    assert imported(client, service, {**document, "id": NEW, "size": 2}) == 201


def test_a_backup_cannot_become_its_own_ancestor(client, known):
    service, document = known
    other = "66666666-2222-4333-8444-555555555555"
    record = {**document, "id": other, "parent_id": NEW}
    client("POST", "/backups/import_record", {"backup-record": {
        "backup_service": service, "backup_url": encoded(record)}}, expect=201)
    assert imported(client, service, {**document, "id": NEW, "parent_id": other}) == 400
    client.settled("backups", other)
    client("DELETE", f"/backups/{other}", expect=202)
    client.gone("backups", other)


#: What Cinder 29 exports of a chunked backup.
CINDERS = {
    "id": NEW, "user_id": "u", "project_id": "p", "volume_id": NEW, "host": "h", "availability_zone": "nova",
    "container": "aa/bb", "parent_id": None, "status": "available", "fail_reason": None, "size": 1, "display_name": "n",
    "display_description": None, "service_metadata": "volume_1/20261101/az_nova_backup_1",
    "service": "cinder.backup.drivers.posix.PosixBackupDriver", "object_count": 2, "temp_volume_id": None,
    "temp_snapshot_id": None, "num_dependent_backups": 0, "snapshot_id": None, "data_timestamp": "2026-11-01T01:02:03Z",
    "restore_volume_id": None, "metadata": {}, "encryption_key_id": None}


@pytest.mark.parametrize(("change", "status"), [
    ({}, 201),
    ({"service": "cinder.backup.drivers.swift.SwiftBackupDriver"}, 400), ({"service_metadata": "../../x"}, 400),
    ({"service_metadata": None}, 201), ({"container": None}, 400),
    ({"parent_id": "99999999-2222-4333-8444-555555555555"}, 400),
    ({"size": None}, 400), ({"service": 7}, 400)])
def test_a_record_of_a_cinder_is_read_or_refused(client, change, status):
    """Its objects do not exist here, so the import ends in error with a reason."""
    assert imported(client, CINDERS["service"], {**CINDERS, **change}) == status


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=40) |
    st.sampled_from(("..", "../..", "/", "backup_x", NEW, "2026-11-01T01:02:03", "\ud7ff", "x" * 300)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3), max_leaves=6)


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_oversized_records_are_refused(client, known, data):
    service, document = known
    base = data.draw(st.sampled_from(({**document, "id": NEW}, CINDERS)))
    record = dict(base)
    for key in data.draw(st.lists(st.sampled_from(sorted(base)), min_size=1, max_size=3, unique=True)):
        if data.draw(st.booleans()):
            record[key] = data.draw(VALUES)
        elif isinstance(record[key], dict):
            record[key] = {**record[key], data.draw(st.sampled_from(("metadata", "service_metadata", "format",
                                                                     "a"))): data.draw(VALUES)}
        else:
            del record[key]
    imported(client, service, record)


BAD = [{"facts": []}, {"facts": "x"}, {"facts": {"service_metadata": 7}}, {"facts": {"format": "cinder-chunks"}},
       {"container": "../.."}, {"container": None}, {"volume_record": "text"}, {"volume_record": []},
       {"parent_id": NEW}]


@pytest.mark.parametrize("row", BAD)
def test_unverified_imported_rows_are_verified_and_deleted(client, service, row):
    """Those of the releases before."""
    with service.process.db.write() as tx:
        BACKUP.remove(tx, NEW)
        BACKUP.insert(tx, None, "restore_to_new", {
            "id": NEW, "project_id": PROJECT, "user_id": "u", "volume_id": NEW, "size": 1, "host": "test",
            "metadata": {},
            "volume_record": {}, "facts": {}, "container": "aa/bb", "counted": False, "status": "available", **row})
    Doctor(service.process.db, service.conf, pause=0.1).examine()
    assert client("GET", f"/backups/{NEW}")[0] == 200
    client("GET", f"/backups/{NEW}/export_record", expect=200)
    volume = client("POST", f"/backups/{NEW}/restore", {"restore": {}})
    if volume[0] == 202:
        id = volume[1]["restore"]["volume_id"]
        until(lambda: client("GET", f"/volumes/{id}", expect=200)["volume"]["status"] == "error", "the restore to fail")
    if row.get("parent_id"):
        client("POST", f"/backups/{NEW}/action", {"os-force_delete": {}})
        with service.process.db.write() as tx:
            BACKUP.write(tx, NEW, parent_id=None)
    client("DELETE", f"/backups/{NEW}", expect=202)
    client.gone("backups", NEW)
