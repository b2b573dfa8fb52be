"""Requests beyond a quota are refused with 413 and leave nothing behind."""

import pytest

from tests.functional.client import Client
from tests.functional.service import Service, until
from tests.functional.test_administrators import sound

OTHER = "b0000000000000000000000000000002"
COUNTED = ("volumes", "gigabytes", "snapshots", "backups", "backup_gigabytes", "groups")


@pytest.fixture(scope="module")
def service():
    with Service() as running:
        yield running


@pytest.fixture(scope="module")
def client(service):
    return Client(service.url)


def usage(client, project):
    shown = client("GET", f"/os-quota-sets/{project}?usage=true", expect=200)["quota_set"]
    return {name: shown[name]["in_use"] for name in COUNTED}


def settled(client, path, id):
    def look():
        found, = client("GET", f"/{path}/{id}", expect=200).values()
        assert not found["status"].startswith("error"), client.why(id)
        return found["status"] == "available"

    until(look, f"{path} {id} being available")
    return id


@pytest.fixture(scope="module")
def full(client):
    """{name: id} of one of each resource of a project that may have no more of any; `record` is that of a backup
    that is gone."""
    made = {"volume": client.made("volumes", size=1)["id"]}
    made["snapshot"] = client.made("snapshots", volume_id=made["volume"])["id"]
    made["backup"] = client.made("backups", volume_id=made["volume"])["id"]
    gone = client.made("backups", volume_id=made["volume"])["id"]
    made["record"] = client("GET", f"/backups/{gone}/export_record", expect=200)["backup-record"]
    client("DELETE", f"/backups/{gone}", expect=202)
    client.gone("backups", gone)
    for path, name in (("groups", "any"), ("consistencygroups", "default_cgsnapshot_type")):
        kinds = client("GET", "/group_types", expect=200)["group_types"]
        kind = next((one["id"] for one in kinds if one["name"] == name), None) or client(
            "POST", "/group_types", {"group_type": {"name": name}}, expect=202)["group_type"]["id"]
        body = {"group": {"group_type": kind, "volume_types": ["__DEFAULT__"]}} if path == "groups" else {
            "consistencygroup": {"volume_types": "__DEFAULT__"}}
        group, = client("POST", f"/{path}", body, expect=202).values()
        made["type"] = made.get("type", kind)
        made[path] = settled(client, path, group["id"])
        client.made("volumes", size=1, volume_type="__DEFAULT__", group_id=made[path])
    limits = usage(client, client.project)
    client("PUT", f"/os-quota-sets/{client.project}", {"quota_set": limits}, expect=200)
    return made


ASKS = {
    "a volume": lambda it: ("/volumes", {"volume": {"size": 1}}),
    "a volume of a snapshot": lambda it: ("/volumes", {"volume": {"snapshot_id": it["snapshot"]}}),
    "a larger volume": lambda it: (f"/volumes/{it['volume']}/action", {"os-extend": {"new_size": 2}}),
    "a snapshot": lambda it: ("/snapshots", {"snapshot": {"volume_id": it["volume"]}}),
    "a backup": lambda it: ("/backups", {"backup": {"volume_id": it["volume"]}}),
    "a restored volume": lambda it: (f"/backups/{it['backup']}/restore", {"restore": {}}),
    "a backup's record": lambda it: ("/backups/import_record", {"backup-record": it["record"]}),
    "a group": lambda it: ("/groups", {"group": {"group_type": it["type"], "volume_types": ["__DEFAULT__"]}}),
    "a copied group": lambda it: ("/groups/action", {"create-from-src": {"source_group_id": it["groups"]}}),
    "a group's snapshot": lambda it: ("/group_snapshots", {"group_snapshot": {"group_id": it["groups"]}}),
    "a consistency group": lambda it: ("/consistencygroups", {"consistencygroup": {"volume_types": "__DEFAULT__"}}),
    "a copied consistency group": lambda it: (
        "/consistencygroups/create_from_src", {"consistencygroup-from-src": {"source_cgid": it["consistencygroups"]}}),
    "a consistency group's snapshot": lambda it: ("/cgsnapshots", {"cgsnapshot": {
        "consistencygroup_id": it["consistencygroups"]}}),
}


@pytest.mark.parametrize("what", ASKS)
def test_requests_beyond_the_quota_are_refused(service, client, full, what):
    path, body = ASKS[what](full)
    before = usage(client, client.project)
    fault = client("POST", path, body, expect=413)
    assert fault["overLimit"]["code"] == 413 and fault["overLimit"]["message"]
    assert usage(client, client.project) == before
    sound(service, client)


@pytest.mark.parametrize("path", ["/volume-transfers", "/os-volume-transfer"])
def test_a_volume_of_another_project_is_not_accepted(service, client, full, path):
    giver = Client(service.url, project=OTHER)
    volume = giver.made("volumes", size=1)["id"]
    offered = giver("POST", path, {"transfer": {"volume_id": volume}}, expect=202)["transfer"]
    before = usage(client, client.project), usage(client, OTHER)
    client("POST", f"{path}/{offered['id']}/accept", {"accept": {"auth_key": offered["auth_key"]}}, expect=413)
    assert (usage(client, client.project), usage(client, OTHER)) == before
    assert giver("GET", f"/volumes/{volume}", expect=200)["volume"]["status"] == "awaiting-transfer"
