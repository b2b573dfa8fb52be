"""The strategy keystone with a real Keystone: users, projects, service tokens."""

import uuid

import pytest
import requests
from keystoneauth1 import session
from keystoneauth1.identity import v3

from tests.acceptance.person import Person

SERVER = str(uuid.uuid4())


@pytest.fixture(scope="module")
def volume(keystone, service):
    return Person(keystone, "ann").made("volumes", size=1, name="of blue")


@pytest.mark.parametrize("path", ["/", "/healthcheck", "/v3/"])
def test_versions_and_health_need_no_token(service, path):
    assert requests.get(service.url + path, timeout=60).status_code in (200, 300)


@pytest.mark.parametrize("token", [None, "no such token", ""])
def test_who_has_no_valid_token_is_told_where_to_get_one(service, keystone, token):
    headers = {} if token is None else {"X-Auth-Token": token}
    answer = requests.get(f"{service.url}/v3/{keystone.projects['blue']}/volumes", headers=headers, timeout=60)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == f'Keystone uri="{keystone.url}"'
    assert answer.json()["error"]["code"] == 401


def test_headers_of_a_confirmed_identity_are_not_believed(service, keystone):
    headers = {"X-Identity-Status": "Confirmed", "X-User-Id": "me", "X-Roles": "admin", "X-Project-Id": "p"}
    assert requests.get(f"{service.url}/v3/volumes", headers=headers, timeout=60).status_code == 401
    ann = keystone.session("ann").get_token()
    answer = requests.get(f"{service.url}/v3/os-services", headers={**headers, "X-Auth-Token": ann}, timeout=60)
    assert answer.status_code == 403


def test_roles_decide(people, volume):
    path = f"/volumes/{volume['id']}"
    assert people("rita")("GET", path, expect=200)["volume"]["name"] == "of blue"
    assert people("rita")("PUT", path, {"volume": {"name": "of Rita"}})[0] == 403
    assert people("max")("PUT", path, {"volume": {"name": "of blue"}})[0] == 200
    assert people("ann")("GET", "/os-services")[0] == 403
    assert people("admin")("GET", "/os-services")[0] == 200


def test_what_belongs_to_another_project_is_not_there(people, volume):
    path = f"/volumes/{volume['id']}"
    for method, body in (("GET", None), ("PUT", {"volume": {"name": "mine"}}), ("DELETE", None)):
        assert people("bob")(method, path, body)[0] == 404
    assert people("bob")("POST", f"{path}/action", {"os-force_delete": {}})[0] == 404
    assert people("bob")("GET", "/volumes?all_tenants=1", expect=200)["volumes"] == []
    assert people("admin")("GET", path, expect=200)["volume"]["os-vol-tenant-attr:tenant_id"] == people("ann").project


def test_the_project_of_the_path_is_the_tokens(service, keystone, volume):
    headers = {"X-Auth-Token": keystone.session("ann").get_token()}
    without, of_green = f"{service.url}/v3/volumes", f"{service.url}/v3/{keystone.projects['green']}/volumes"
    assert requests.get(without, headers=headers, timeout=60).json()["volumes"]
    assert requests.get(of_green, headers=headers, timeout=60).status_code == 400


def test_a_system_administrator_does_what_needs_no_project(service, keystone, volume):
    headers = {"X-Auth-Token": keystone.session("admin", system=True).get_token()}
    assert requests.get(f"{service.url}/v3/os-services", headers=headers, timeout=60).status_code == 200
    assert requests.get(f"{service.url}/v3/volumes/{volume['id']}", headers=headers, timeout=60).status_code == 200
    refused = requests.post(f"{service.url}/v3/volumes", headers=headers, json={"volume": {"size": 1}}, timeout=60)
    assert refused.status_code == 403
    assert "scoped to a project" in refused.json()["forbidden"]["message"]


def test_a_token_without_a_project_is_refused_with_what_would_be_right(service, keystone):
    unscoped = v3.Password(keystone.url, username="ann", password=keystone.password, user_domain_id="default",
                           unscoped=True)
    headers = {"X-Auth-Token": session.Session(unscoped).get_token()}
    refused = requests.get(f"{service.url}/v3/volumes", headers=headers, timeout=60)
    assert refused.status_code == 403
    assert "scoped to a project" in refused.json()["forbidden"]["message"]


def attached(person, volume_id):
    body = {"attachment": {"volume_uuid": volume_id, "instance_uuid": SERVER,
                           "connector": {"host": "compute", "initiator": "iqn.2026-01.org.example:compute"}}}
    attachment = person("POST", "/attachments", body, expect=200)["attachment"]
    person("POST", f"/attachments/{attachment['id']}/action", {"os-complete": {}}, expect=204)
    return attachment["id"]


def test_only_a_service_takes_a_volume_from_a_server(people, keystone):
    """CVE-2023-2088."""
    ann, nova = people("ann"), people("ann", service="nova")
    volume = ann.made("volumes", size=1)
    attachment = attached(nova, volume["id"])
    action = f"/volumes/{volume['id']}/action"
    refused = [ann("DELETE", f"/attachments/{attachment}"), ann("POST", action, {"os-detach": {}}),
               ann("POST", action, {"os-detach": {"attachment_id": attachment}}),
               ann("POST", action, {"os-terminate_connection": {"connector": {"host": "compute"}}}),
               people("admin")("POST", action, {"os-force_detach": {"attachment_id": attachment}})]
    assert [status for status, _ in refused] == [409] * len(refused)
    assert all("Compute API" in document["conflictingRequest"]["message"] for _, document in refused)
    assert ann("GET", f"/volumes/{volume['id']}", expect=200)["volume"]["status"] == "in-use"
    nova("DELETE", f"/attachments/{attachment}", expect=200)
    ann.removed("volumes", volume["id"])


def test_who_is_not_attached_to_a_server_may_be_detached_by_its_user(people):
    ann = people("ann")
    volume = ann.made("volumes", size=1)
    body = {"attachment": {"volume_uuid": volume["id"], "connector": {"host": "h",
                                                                      "initiator": "iqn.2026-01.org.example:h"}}}
    attachment = ann("POST", "/attachments", body, expect=200)["attachment"]["id"]
    ann("DELETE", f"/attachments/{attachment}", expect=200)
    reserved = {"attachment": {"volume_uuid": volume["id"], "instance_uuid": SERVER}}
    attachment = ann("POST", "/attachments", reserved, expect=200)["attachment"]["id"]
    ann("DELETE", f"/attachments/{attachment}", expect=200)
    ann.removed("volumes", volume["id"])


def test_a_service_token_without_the_role_is_worth_nothing(people, volume):
    assert people("ann", service="bob")("GET", f"/volumes/{volume['id']}")[0] == 401
