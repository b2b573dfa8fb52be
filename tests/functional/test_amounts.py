"""The amount of data that a client can store is bounded, in one request and in total."""

import uuid

import pytest
import sqlalchemy as sa

from cinder_lite.db import schema
from tests.functional.client import Client
from tests.functional.service import Service

MOST = 20


@pytest.fixture(scope="module")
def service():
    with Service(default=f"max_metadata_items = {MOST}\nquota_volumes = 100\nquota_snapshots = 100\nquota_backups = "
                         f"100") as running:
        yield running


@pytest.fixture
def client(service):
    return Client(service.url)


def items(count, start=0):
    return {f"key{n}": "v" for n in range(start, start + count)}


def qos(client, count):
    return client("POST", "/qos-specs", {"qos_specs": {"name": uuid.uuid4().hex, "consumer": "front-end",
                                                       **items(count)}})


def type_(client, count, kind="volume_type", specs="extra_specs", path="/types"):
    return client("POST", path, {kind: {"name": uuid.uuid4().hex, specs: items(count)}})


def of(kind, path, **more):
    """A function of (client, count) that creates a resource with `count` metadata items."""
    def make(client, count):
        return client("POST", path, {kind: {"metadata": items(count), **{
            key: value(client) for key, value in more.items()}}})
    return make


def volume(client):
    return client.made("volumes", size=1)["id"]


#: kind -> function of (client, count) that makes one of these; how it is added to: (method, path, key); count of own.
MADE = {
    "volume": (of("volume", "/volumes", size=lambda client: 1), ("POST", "/volumes/{id}/metadata", "metadata")),
    "snapshot": (of("snapshot", "/snapshots", volume_id=volume), ("POST", "/snapshots/{id}/metadata", "metadata")),
    "backup": (of("backup", "/backups", volume_id=volume), None),
    "qos_specs": (qos, ("PUT", "/qos-specs/{id}", "qos_specs")),
    "volume_type": (type_, ("POST", "/types/{id}/extra_specs", "extra_specs")),
    "group_type": (lambda client, count: type_(client, count, "group_type", "group_specs", "/group_types"),
                   ("POST", "/group_types/{id}/group_specs", "group_specs")),
}


def id_of(kind, document):
    return document[kind]["id"]


@pytest.mark.parametrize("kind", MADE)
def test_a_resource_has_so_many_items_at_most(client, kind):
    make, add = MADE[kind]
    status, fault = make(client, MOST + 1)
    assert status == 400
    assert f"{MOST} items" in fault["badRequest"]["message"] and str(MOST + 1) in fault["badRequest"]["message"]
    status, document = make(client, MOST)
    assert status in (200, 202), document
    if add:
        method, path, key = add
        path = path.format(id=id_of(kind, document))
        assert client(method, path, {key: items(1, MOST)})[0] == 400
        assert client(method, path, {key: {"key0": "other"}})[0] in (200, 202)


def test_every_way_to_add_metadata_is_bounded(client):
    volume = client.made("volumes", size=1, metadata=items(MOST))["id"]
    snapshot = client.made("snapshots", volume_id=volume, metadata=items(MOST))["id"]
    for path in (f"/volumes/{volume}", f"/snapshots/{snapshot}"):
        client("PUT", f"{path}/metadata", {"metadata": items(MOST + 1)}, expect=400)
        client("PUT", f"{path}/metadata/more", {"meta": {"more": "v"}}, expect=400)
        client("DELETE", f"{path}/metadata/key0", expect=200)
        client("PUT", f"{path}/metadata/more", {"meta": {"more": "v"}}, expect=200)
    client("PUT", f"/volumes/{volume}", {"volume": {"metadata": items(MOST + 1)}}, expect=400)
    client("PUT", f"/volumes/{volume}", {"volume": {"metadata": items(MOST)}}, expect=200)
    client("POST", "/manageable_volumes", {"volume": {
        "host": "test@file-1#file-1", "ref": {"source-name": "x"}, "metadata": items(MOST + 1)}}, expect=400)


def test_image_metadata_is_bounded_by_items_and_by_characters(client):
    id = volume(client)

    def add(metadata):
        return client("POST", f"/volumes/{id}/action", {"os-set_image_metadata": {"metadata": metadata}})[0]

    assert add(items(MOST + 1)) == 400
    assert [add({f"long{n}": "x" * 65000}) for n in range(5)] == [200, 200, 200, 200, 400]
    assert add({"long0": "x" * 10}) == 200 and add({"long4": "x" * 65000}) == 200
    assert add(items(MOST)) == 400


def test_items_beyond_the_limit_can_be_removed(service, client):
    id = volume(client)
    with service.process.db.write() as tx:
        tx.execute(sa.update(schema.volumes).where(schema.volumes.c.id == id).values(metadata=items(MOST + 5)))
    assert client("POST", f"/volumes/{id}/metadata", {"metadata": {"more": "v"}})[0] == 400
    client("PUT", f"/volumes/{id}/metadata/key1", {"meta": {"key1": "other"}}, expect=200)
    client("DELETE", f"/volumes/{id}/metadata/key0", expect=200)
    assert len(client("GET", f"/volumes/{id}/metadata", expect=200)["metadata"]) == MOST + 4


LARGE = {"x": "y" * 16384}


@pytest.mark.parametrize(("path", "body"), [
    ("/volumes", {"volume": {"size": 1}, "OS-SCH-HNT:scheduler_hints": LARGE}),
    ("/volumes", {"volume": {"size": 1}, "OS-SCH-HNT:scheduler_hints": {f"hint{n}": "" for n in range(2000)}}),
    ("/volumes", {"volume": {"size": 1}, "OS-SCH-HNT:scheduler_hints": {"query": "x" * 70000}}),
    ("/volumes/{id}/action", {"os-initialize_connection": {"connector": {"initiator": "i", **LARGE}}}),
    ("/volumes/{id}/action", {"os-terminate_connection": {"connector": {"initiator": "i", **LARGE}}}),
    ("/volumes/{id}/action", {"os-force_detach": {"connector": {"initiator": "i", **LARGE}}}),
    ("/attachments", {"attachment": {"volume_uuid": "{id}", "connector": {"initiator": "i", **LARGE}}}),
    ("/manageable_volumes", {"volume": {"host": "test@file-1#file-1", "ref": {"source-name": "x" * 20000}}}),
    ("/manageable_snapshots", {"snapshot": {"volume_id": "{id}", "ref": {"source-name": "x" * 20000}}}),
])
def test_an_object_of_any_form_has_a_bound(client, path, body):
    id = volume(client)
    filled = {key: {name: id if one == "{id}" else one for name, one in value.items()} for key, value in body.items()}
    assert "16384 characters" in client("POST", path.format(id=id), filled, expect=400)["badRequest"]["message"]
    assert client("GET", f"/volumes/{id}", expect=200)["volume"]["status"] == "available"
