"""Requests at the limits: a refused request leaves nothing behind."""

import pytest

from tests.functional.client import Client
from tests.functional.service import Service

LONG = "x" * 300


@pytest.fixture(scope="module")
def running():
    with Service(backends=("null-1",), target=False, default="quota_volumes = -1\nquota_groups = -1") as service:
        yield service


@pytest.fixture
def client(running):
    return Client(running.url)


@pytest.mark.parametrize(("path", "body"), [
    (f"/os-quota-sets/{LONG}", {"quota_set": {"volumes": 1}}),
    (f"/os-quota-class-sets/{LONG}", {"quota_class_set": {"volumes": 1}}),
    (f"/default-types/{LONG}", {"default_type": {"volume_type": "__DEFAULT__"}}),
])
def test_names_longer_than_their_column(client, path, body):
    assert client("PUT", path, body)[0] == 400


@pytest.mark.parametrize("token", [f"tester:{LONG}", f"{LONG}:p"])
def test_tokens_longer_than_their_column(running, token):
    answer = Client(running.url)._session.post(f"{running.url}/v3/volumes", json={"volume": {"size": 1}}, timeout=60,
                                               headers={
        "X-Auth-Token": token})
    assert answer.status_code == 400, answer.text


CONNECTORS = [{"host": LONG}, {"host": {"a": "b"}}, {"host": 7}, {"host": "h", "mountpoint": LONG},
              {"host": "h", "mountpoint": ["/dev/vdb"]},
              {"host": "h", "initiator": LONG}, {"host": "h", "mode": 7}, {"host": "h", "mode": "rx"}, "host", ["host"]]


@pytest.mark.parametrize("connector", CONNECTORS, ids=lambda one: str(one)[:40])
def test_invalid_connectors(client, connector):
    volume = client.made("volumes", size=1)
    action = f"/volumes/{volume['id']}/action"
    assert client("POST", "/attachments", {"attachment": {"volume_uuid": volume["id"],
                                                          "connector": connector}})[0] == 400
    shown = client("GET", f"/volumes/{volume['id']}", expect=200)["volume"]
    assert (shown["status"], client("GET", f"/attachments?volume_id={volume['id']}",
                                    expect=200)["attachments"]) == ("available", [])
    if "mode" not in connector:
        assert client("POST", action, {"os-initialize_connection": {"connector": connector}})[0] == 400
    reserved = client("POST", "/attachments", {"attachment": {"volume_uuid": volume["id"]}},
                      expect=200)["attachment"]["id"]
    assert client("PUT", f"/attachments/{reserved}", {"attachment": {"connector": connector}})[0] == 400
    assert client("GET", f"/attachments/{reserved}", expect=200)["attachment"]["status"] == "reserved"
    assert client("GET", f"/volumes/{volume['id']}", expect=200)["volume"]["status"] == "reserved"


@pytest.mark.parametrize("status", ["error", "error_deleting", "error_extending"])
def test_a_volume_in_error_is_not_connected(client, status):
    volume = client.made("volumes", size=1)["id"]
    attachment = client("POST", "/attachments", {"attachment": {"volume_uuid": volume}}, expect=200)["attachment"]["id"]
    client("POST", f"/volumes/{volume}/action", {"os-reset_status": {"status": status}}, expect=202)
    assert client("PUT", f"/attachments/{attachment}", {"attachment": {"connector": {"host": "h"}}})[0] == 409


@pytest.fixture
def group(client):
    """A group with one volume: (group, volume, the body for another volume in it)."""
    type_id = client("GET", "/types", expect=200)["volume_types"][0]["id"]
    group_type = client("POST", "/group_types", {"group_type": {"name": f"g{id(client)}"}},
                        expect=202)["group_type"]["id"]
    made = client("POST", "/groups", {"group": {"name": "g", "group_type": group_type, "volume_types": [type_id]}},
                  expect=202)["group"]["id"]
    client.settled("groups", made)
    member = client.made("volumes", size=1, group_id=made)["id"]
    yield made, member, client.made("volumes", size=1)["id"]
    client("POST", f"/groups/{made}/action", {"delete": {"delete-volumes": True}}, expect=202)
    client.gone("groups", made)
    client("DELETE", f"/group_types/{group_type}", expect=202)


@pytest.mark.parametrize("status", ["available", "error", "error_deleting"])
def test_a_group_is_renamed_in_any_status(client, group, status):
    id = group[0]
    client("POST", f"/groups/{id}/action", {"reset_status": {"status": status}}, expect=202)
    client("PUT", f"/groups/{id}", {"group": {"name": "other", "description": "d"}}, expect=202)
    shown = client("GET", f"/groups/{id}", expect=200)["group"]
    assert (shown["name"], shown["description"], shown["status"]) == ("other", "d", status)
    assert client("PUT", f"/groups/{id}", {"group": {"name": "other"}})[0] == 400
    client("POST", f"/groups/{id}/action", {"reset_status": {"status": "available"}}, expect=202)


def test_members_may_be_named_among_those_that_join(client, group):
    id, member, other = group
    assert client("PUT", f"/groups/{id}", {"group": {"add_volumes": member}})[0] == 400
    client("PUT", f"/groups/{id}", {"group": {"add_volumes": f"{member},{other}"}}, expect=202)
    found = client("GET", f"/groups/{id}?list_volume=True", expect=200)["group"]["volumes"]
    assert sorted(found) == sorted([member, other])
