"""Transfers: a volume, its snapshots and its quota move to the project with the key."""

import uuid

import pytest
import sqlalchemy as sa

from cinder_lite import context, errors
from cinder_lite.db import schema
from cinder_lite.volume.verbs.transfers import Transfers
from tests.functional.client import Client
from tests.functional.service import Service
from tests.functional.test_administrators import sound

THEIRS = "b0000000000000000000000000000002"
PATHS = ("/volume-transfers", "/os-volume-transfer")
KEYS = "\n[key_manager]\nfixed_key = 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n"


@pytest.fixture(scope="module")
def service():
    with Service(backends=("null-1",), target=False, default="quota_volumes = 50" + KEYS) as running:
        yield running


@pytest.fixture
def client(service):
    return Client(service.url)


@pytest.fixture
def other(service):
    return Client(service.url, project=THEIRS)


def usage(client):
    found = client("GET", f"/os-quota-sets/{client.project}?usage=True", expect=200)["quota_set"]
    return {key: found[key]["in_use"] for key in ("volumes", "snapshots", "gigabytes", "gigabytes___DEFAULT__")}


def offered(client, volume_id, path=PATHS[0], expect=202, version=None, **more):
    return client("POST", path, {"transfer": {"volume_id": volume_id, **more}}, expect=expect, version=version)


def accept(client, transfer, path=PATHS[0], expect=202):
    return client("POST", f"{path}/{transfer['id']}/accept", {"accept": {"auth_key": transfer["auth_key"]}},
                  expect=expect)


def status(client, id):
    return client("GET", f"/volumes/{id}", expect=200)["volume"]["status"]


@pytest.mark.parametrize("path", PATHS)
def test_a_volume_goes_to_another_project(service, client, other, path):
    volume = client.made("volumes", size=2, metadata={"gift": path})
    snapshot = client.made("snapshots", volume_id=volume["id"], metadata={"gift": path})
    mine, theirs = usage(client), usage(other)
    transfer = offered(client, volume["id"], path, name=" gift ")["transfer"]
    assert (transfer["name"], transfer["no_snapshots"], transfer["accepted"]) == ("gift", False, False)
    assert transfer["source_project_id"] == client.project and transfer["destination_project_id"] is None
    assert len(transfer["auth_key"]) == 16 and status(client, volume["id"]) == "awaiting-transfer"
    assert all("/os-volume-transfer/" in link["href"] for link in transfer["links"])
    shown = client("GET", f"{path}/{transfer['id']}", expect=200)["transfer"]
    assert shown == {key: value for key, value in transfer.items() if key != "auth_key"}
    answer = accept(other, transfer, path)["transfer"]
    assert set(answer) == {"id", "volume_id", "name", "links"}
    assert status(other, volume["id"]) == "available"
    shown = other("GET", f"/volumes/{volume['id']}", expect=200)["volume"]
    assert shown["os-vol-tenant-attr:tenant_id"] == THEIRS
    ids = [one["id"] for one in client("GET", "/volumes", expect=200)["volumes"]]
    assert volume["id"] not in ids and volume["id"] in [one["id"]
                                                        for one in other("GET", "/volumes", expect=200)["volumes"]]
    assert [one["id"] for one in other("GET", "/snapshots", expect=200)["snapshots"]] == [snapshot["id"]]
    for kind, id in (("volumes", volume["id"]), ("snapshots", snapshot["id"])):
        found = f"/{kind}?metadata={{'gift':'{path}'}}"
        assert [one["id"] for one in other("GET", found, expect=200)[kind]] == [id]
        assert client("GET", found, expect=200)[kind] == []
    assert client("GET", f"{path}/{transfer['id']}")[0] == 404
    moved = {"volumes": 1, "snapshots": 1, "gigabytes": 4, "gigabytes___DEFAULT__": 4}
    assert usage(client) == {key: n - moved[key] for key, n in mine.items()}
    assert usage(other) == {key: n + moved[key] for key, n in theirs.items()}
    other("DELETE", f"/volumes/{volume['id']}?cascade=True", expect=202)
    other.gone("volumes", volume["id"])
    sound(service, client)


def test_snapshots_may_stay(service, client, other):
    volume = client.made("volumes", size=1)
    snapshot = client.made("snapshots", volume_id=volume["id"])
    transfer = offered(client, volume["id"], no_snapshots=True)["transfer"]
    assert transfer["no_snapshots"] is True
    accept(other, transfer)
    assert [one["id"] for one in client("GET", "/snapshots", expect=200)["snapshots"]] == [snapshot["id"]]
    client("DELETE", f"/snapshots/{snapshot['id']}", expect=202)
    client.gone("snapshots", snapshot["id"])
    sound(service, client)


def test_a_transfer_is_deleted(client, other):
    volume = client.made("volumes", size=1)
    transfer = offered(client, volume["id"])["transfer"]
    assert offered(client, volume["id"], expect=400)["badRequest"]["message"].endswith("but it is awaiting-transfer")
    client("DELETE", f"{PATHS[0]}/{transfer['id']}", expect=202)
    assert status(client, volume["id"]) == "available"
    accept(other, transfer, expect=404)
    assert client("DELETE", f"{PATHS[0]}/{transfer['id']}")[0] == 404


def test_a_wrong_key_opens_nothing(client, other):
    volume = client.made("volumes", size=1)
    transfer = offered(client, volume["id"])["transfer"]
    for key in ("0" * 16, "x", transfer["auth_key"].upper() + "0", "ü"):
        accept(other, {**transfer, "auth_key": key}, expect=400)
    accept(other, {**transfer, "id": str(uuid.uuid4())}, expect=404)
    assert status(client, volume["id"]) == "awaiting-transfer"
    client("DELETE", f"{PATHS[0]}/{transfer['id']}", expect=202)


def test_the_quota_of_the_other_project_counts(client, other):
    other("PUT", f"/os-quota-sets/{THEIRS}", {"quota_set": {"gigabytes": usage(other)["gigabytes"]}}, expect=200)
    volume = client.made("volumes", size=1)
    transfer = offered(client, volume["id"])["transfer"]
    before = usage(client), usage(other)
    accept(other, transfer, expect=413)
    assert status(client, volume["id"]) == "awaiting-transfer" and (usage(client), usage(other)) == before
    other("DELETE", f"/os-quota-sets/{THEIRS}", expect=200)
    accept(other, transfer)


def test_a_volume_that_was_never_made_takes_no_quota_along(service, client, other):
    """An administrator can make it available by force."""
    volume = client.made("volumes", size=1)["id"]
    before = usage(client), usage(other)
    with service.process.db.write() as tx:
        tx.execute(sa.update(schema.volumes).where(schema.volumes.c.id == volume).values(counted=False))
    accept(other, offered(client, volume)["transfer"])
    assert (usage(client), usage(other)) == before
    with service.process.db.write() as tx:
        tx.execute(sa.update(schema.volumes).where(schema.volumes.c.id == volume).values(
            counted=True, project_id=client.project))


def test_lists(client):
    ids = []
    for n in range(3):
        volume = client.made("volumes", size=1)
        ids.append(offered(client, volume["id"], name=f"list-{n}")["transfer"]["id"])
    first = client("GET", f"{PATHS[0]}?limit=2&sort=name:asc", expect=200)
    assert [one["id"] for one in first["transfers"]] == ids[:2] and "transfers_links" in first
    rest = client("GET", f"{PATHS[0]}/detail?sort=name:asc&marker={ids[1]}", expect=200)["transfers"]
    assert [(one["id"], one["source_project_id"]) for one in rest] == [(ids[2], client.project)]
    assert [one["id"] for one in client("GET", f"{PATHS[1]}?name=list-1", expect=200)["transfers"]] == [ids[1]]
    assert [one["id"] for one in client("GET", f"{PATHS[1]}?offset=2", expect=200)["transfers"]] == [ids[0]]
    old = client("GET", f"{PATHS[1]}/detail?limit=1", version="3.0", expect=200)["transfers"][0]
    assert set(old) == {"id", "volume_id", "name", "links", "created_at"}
    for id in ids:
        client("DELETE", f"{PATHS[1]}/{id}", expect=202)


def test_volumes_that_cannot_be_transferred(client):
    volume = client.made("volumes", size=1)
    attachment = client("POST", "/attachments", {"attachment": {
        "volume_uuid": volume["id"], "instance_uuid": str(uuid.uuid4())}}, expect=200)["attachment"]
    offered(client, volume["id"], expect=400)
    client("DELETE", f"/attachments/{attachment['id']}", expect=200)
    snapshot = client.made("snapshots", volume_id=volume["id"])
    client("POST", f"/snapshots/{snapshot['id']}/action", {"os-reset_status": {"status": "error"}}, expect=202)
    refusal = offered(client, volume["id"], expect=400)["badRequest"]["message"]
    assert snapshot["id"] in refusal and "is error" in refusal
    assert status(client, volume["id"]) == "available"
    offered(client, str(uuid.uuid4()), expect=404)
    offered(client, "x", expect=400)


def test_encrypted_volumes_go_from_370_on(client, other):
    type_id = client("POST", "/types", {"volume_type": {"name": "secret"}}, expect=200)["volume_type"]["id"]
    client("POST", f"/types/{type_id}/encryption", {"encryption": {
        "provider": "luks", "control_location": "front-end"}}, expect=200)
    volume = client.made("volumes", size=1, volume_type=type_id)
    for refused in ({"path": PATHS[1]}, {"version": "3.69"}, {"no_snapshots": True}):
        assert "encrypted" in offered(client, volume["id"], expect=400, **refused)["badRequest"]["message"]
    accept(other, offered(client, volume["id"])["transfer"])


def test_a_type_that_the_other_may_not_use_stops_it(service, client, other):
    type_id = client("POST", "/types", {"volume_type": {"name": "ours", "os-volume-type-access:is_public": False}},
                     expect=200)["volume_type"]["id"]
    client("POST", f"/types/{type_id}/action", {"addProjectAccess": {"project": client.project}}, expect=202)
    volume = client.made("volumes", size=1, volume_type=type_id)
    transfer = offered(client, volume["id"])["transfer"]
    # noauth makes everybody an administrator, who may use every type.
    somebody = context.Context(user_id="u", project_id=THEIRS, is_admin=False, overwrite=False)
    with pytest.raises(errors.BadRequest, match="of type ours, which project .* may not use"):
        Transfers(service.process.db, service.conf).accept(somebody, transfer["id"], transfer["auth_key"])
    assert status(client, volume["id"]) == "awaiting-transfer"
    client("POST", f"/types/{type_id}/action", {"addProjectAccess": {"project": THEIRS}}, expect=202)
    Transfers(service.process.db, service.conf).accept(somebody, transfer["id"], transfer["auth_key"])
    assert status(other, volume["id"]) == "available"


@pytest.mark.parametrize("end", ["delete", "reset"])
def test_an_administrator_ends_an_offer(client, other, end):
    volume = client.made("volumes", size=1)
    transfer = offered(client, volume["id"])["transfer"]
    act = {"delete": {"os-force_delete": {}}, "reset": {"os-reset_status": {"status": "available"}}}[end]
    client("POST", f"/volumes/{volume['id']}/action", act, expect=202)
    if end == "delete":
        client.gone("volumes", volume["id"])
    assert client("GET", f"{PATHS[0]}/{transfer['id']}")[0] == 404
    accept(other, transfer, expect=404)
