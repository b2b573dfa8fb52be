"""Groups: types, members, group snapshots, copies, and the legacy API."""

import os
import random
import uuid

import pytest

from tests.functional.client import Client
from tests.functional.service import Service, until
from tests.functional.test_administrators import SECTION, sound

DATA = [random.Random(n).randbytes(1024**2) for n in range(4)]


@pytest.fixture(scope="module")
def service():
    sections = {name: SECTION.format(name=name) for name in ("one", "two")}
    default = "job_sweep_interval = 0.2\nquota_volumes = 100\nquota_groups = 30\nquota_snapshots = 100"
    with Service(backends=("one", "two"), sections=sections, default=default) as running:
        yield running


@pytest.fixture
def client(service):
    return Client(service.url)


@pytest.fixture(scope="module")
def types(service):
    client = Client(service.url)
    return {name: client.type_of(name)["id"] for name in ("one", "two")}


@pytest.fixture
def gate(service):
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


def a_type(client, **more):
    body = {"name": f"gt-{uuid.uuid4()}", **more}
    return client("POST", "/group_types", {"group_type": body}, expect=202)["group_type"]


def a_group(client, *volume_types, group_type=None, status="available", **more):
    made = client("POST", "/groups", {"group": {"group_type": group_type or a_type(client)["id"],
                                                "volume_types": list(volume_types), **more}}, expect=202)["group"]
    assert set(made) == {"id", "name"}
    return shown(client, made["id"], status)


def shown(client, id, status=None):
    def look():
        found = client("GET", f"/groups/{id}?list_volume=True", expect=200)["group"]
        return found if status in (None, found["status"]) else None

    return until(look, f"group {id} to be {status}: {client.why(id)}")


def act(client, id, expect=202, **action):
    return client("POST", f"/groups/{id}/action", action, expect=expect)


def deleted(client, *ids, with_volumes=True):
    for id in ids:
        act(client, id, delete={"delete-volumes": with_volumes})
        until(lambda id=id: client("GET", f"/groups/{id}")[0] == 404, f"group {id} to be gone: {client.why(id)}")


def kept(client, group_id, status="available", **more):
    made = client("POST", "/group_snapshots", {"group_snapshot": {"group_id": group_id, **more}},
                  expect=202)["group_snapshot"]
    assert set(made) == {"id", "name", "group_type_id"}
    return snapshot(client, made["id"], status)


def snapshot(client, id, status="available"):
    def look():
        found = client("GET", f"/group_snapshots/{id}", expect=200)["group_snapshot"]
        return found if found["status"] == status else None

    return until(look, f"group snapshot {id} to be {status}: {client.why(id)}")


def forgotten(client, *ids):
    for id in ids:
        client("DELETE", f"/group_snapshots/{id}", expect=202)
        until(lambda id=id: client("GET", f"/group_snapshots/{id}")[0] == 404, f"group snapshot {id} to be gone")


def path(service, name, backend="one"):
    return os.path.join(service.state, backend, name)


def write(service, volume_id, data):
    with open(path(service, f"volume-{volume_id}"), "r+b") as file:
        file.write(data)


def read(service, volume_id):
    with open(path(service, f"volume-{volume_id}"), "rb") as file:
        return file.read(len(DATA[0]))


def files(service):
    return sorted(name for name in os.listdir(os.path.join(service.state, "one")) if name.startswith(("vol", "sna")))


def usage(client):
    found = client("GET", f"/os-quota-sets/{client.project}?usage=True", expect=200)["quota_set"]
    return {key: found[key]["in_use"] for key in ("volumes", "snapshots", "gigabytes", "groups", "gigabytes_one")}


NOTHING = {"volumes": 0, "snapshots": 0, "gigabytes": 0, "groups": 0, "gigabytes_one": 0}


# -- types

def test_a_type_is_created_changed_and_deleted(client):
    type_ = a_type(client, description="d", group_specs={"k": "v"})
    assert type_["is_public"] is True and type_["group_specs"] == {"k": "v"}
    assert client("POST", "/group_types", {"group_type": {"name": type_["name"]}})[0] == 409
    changed = client("PUT", f"/group_types/{type_['id']}", {"group_type": {"description": "e", "is_public": False}},
                     expect=200)["group_type"]
    assert changed == {**type_, "description": "e", "is_public": False}
    assert type_["id"] not in [one["id"] for one in client("GET", "/group_types", expect=200)["group_types"]]
    assert type_["id"] in [one["id"] for one in client("GET", "/group_types?is_public=none", expect=200)["group_types"]]
    specs = f"/group_types/{type_['id']}/group_specs"
    assert client("POST", specs, {"group_specs": {"a": "1"}}, expect=202) == {"group_specs": {"a": "1"}}
    assert client("PUT", f"{specs}/a", {"a": "2"}, expect=200) == {"a": "2"}
    client("PUT", f"{specs}/a", {"b": "2"}, expect=400)
    assert client("GET", f"{specs}/a", expect=200) == {"a": "2"}
    client("DELETE", f"{specs}/a", expect=202)
    client("DELETE", f"{specs}/a", expect=404)
    assert client("GET", specs, expect=200) == {"group_specs": {"k": "v"}}
    client("DELETE", f"/group_types/{type_['id']}", expect=202)
    client("GET", f"/group_types/{type_['id']}", expect=404)
    client("GET", "/group_types/default", expect=404)


def test_a_type_in_use_stays(service, client, types):
    type_ = a_type(client)
    group = a_group(client, types["one"], group_type=type_["name"])
    client("DELETE", f"/group_types/{type_['id']}", expect=400)
    specs = f"/group_types/{type_['id']}/group_specs"
    client("POST", specs, {"group_specs": {"a": "b"}}, expect=202)
    client("PUT", f"{specs}/a", {"a": "c"}, expect=200)
    client("DELETE", f"{specs}/a", expect=202)
    assert client("GET", specs, expect=200) == {"group_specs": {}}
    deleted(client, group["id"], with_volumes=False)
    client("DELETE", f"/group_types/{type_['id']}", expect=202)


# -- groups

def test_a_group_has_volumes(service, client, types):
    group = a_group(client, "one", name="g", description="d")
    assert (group["volume_types"], group["volumes"], group["replication_status"]) == ([types["one"]], [], "disabled")
    inside = client.made("volumes", size=1, volume_type="one", group_id=group["id"])
    assert (inside["group_id"], inside["consistencygroup_id"]) == (group["id"], None)
    assert shown(client, group["id"])["volumes"] == [inside["id"]]
    assert [one["id"] for one in client("GET", f"/volumes?group_id={group['id']}",
                                        expect=200)["volumes"]] == [inside["id"]]
    assert "group" in client("DELETE", f"/volumes/{inside['id']}", expect=400)["badRequest"]["message"]
    outside = client.made("volumes", size=2, volume_type="one")
    client("PUT", f"/groups/{group['id']}", {"group": {
        "name": "h", "add_volumes": outside["id"], "remove_volumes": inside["id"]}}, expect=202)
    now = shown(client, group["id"])
    assert (now["name"], now["description"], now["volumes"]) == ("h", "d", [outside["id"]])
    act(client, group["id"], expect=400, delete={"delete-volumes": False})
    deleted(client, group["id"])
    assert client("GET", f"/volumes/{outside['id']}")[0] == 404
    client("DELETE", f"/volumes/{inside['id']}", expect=202)
    client.gone("volumes", inside["id"])
    sound(service, client)
    assert usage(client) == NOTHING and files(service) == []


def test_volumes_that_a_group_refuses(client, types):
    group = a_group(client, "one")
    elsewhere = client.made("volumes", size=1, volume_type="two")
    body = {"size": 1, "volume_type": "two", "group_id": group["id"]}
    assert "does not take volumes of type two" in client("POST", "/volumes", {"volume": body},
                                                         expect=400)["badRequest"]["message"]
    client("POST", "/volumes", {"volume": {**body, "group_id": str(uuid.uuid4())}}, expect=404)
    for change, status in (({"add_volumes": elsewhere["id"]}, 400), ({"remove_volumes": elsewhere["id"]}, 400),
                           ({"add_volumes": str(uuid.uuid4())}, 404), ({}, 400),
                           ({"add_volumes": elsewhere["id"], "remove_volumes": elsewhere["id"]}, 400)):
        client("PUT", f"/groups/{group['id']}", {"group": change}, expect=status)
    deleted(client, group["id"], with_volumes=False)
    client("DELETE", f"/volumes/{elsewhere['id']}", expect=202)
    client.gone("volumes", elsewhere["id"])


def test_a_group_without_a_backend_has_a_reason(client, types):
    group = a_group(client, "one", "two", status="error")
    shown = client("GET", f"/messages?resource_uuid={group['id']}", expect=200)["messages"]
    assert "No valid backend" in shown[0]["user_message"]
    deleted(client, group["id"], with_volumes=False)
    replicated = a_type(client, group_specs={"group_replication_enabled": "<is> True"})
    group = a_group(client, "one", group_type=replicated["id"], status="error")
    deleted(client, group["id"], with_volumes=False)
    assert usage(client)["groups"] == 0


@pytest.mark.parametrize(("body", "status"), [
    ({}, 400), ({"group_type": "x", "volume_types": []}, 400), ({"group_type": "x", "volume_types": ["one"]}, 404),
    ({"group_type": "", "volume_types": ["one"]}, 400), ({"group_type": "x", "volume_types": "one"}, 400)])
def test_a_bad_group_is_refused(client, types, body, status):
    client("POST", "/groups", {"group": body}, expect=status)


def test_groups_are_listed(client, types):
    made = [a_group(client, "one", name=f"list-{n}") for n in range(3)]
    first = client("GET", "/groups?limit=2&sort=name:asc", expect=200)
    assert [one["id"] for one in first["groups"]] == [one["id"] for one in made[:2]] and "group_links" in first
    named = client("GET", "/groups/detail?name=list-1&list_volume=true", expect=200)["groups"]
    assert [(one["id"], one["volumes"]) for one in named] == [(made[1]["id"], [])]
    old = client("GET", f"/groups/{made[0]['id']}", version="3.13", expect=200)["group"]
    assert set(old) == {"id", "status", "availability_zone", "created_at", "name", "description", "group_type",
                        "volume_types"}
    client("GET", "/groups", version="3.12", expect=404)
    deleted(client, *(one["id"] for one in made), with_volumes=False)


def test_reset_status_works_and_replication_is_refused(client, types):
    group = a_group(client, "one")
    act(client, group["id"], reset_status={"status": "error"})
    assert shown(client, group["id"])["status"] == "error"
    act(client, group["id"], expect=400, reset_status={"status": "in-use"})
    for action in ("enable_replication", "disable_replication", "failover_replication", "list_replication_targets"):
        refusal = act(client, group["id"], expect=400, **{action: {}})["badRequest"]["message"]
        assert "does not replicate" in refusal
    deleted(client, group["id"], with_volumes=False)


# -- snapshots and copies

def full(service, client, sizes=(1, 2)):
    group = a_group(client, "one")
    made = [client.made("volumes", size=size, volume_type="one", group_id=group["id"]) for size in sizes]
    for volume, data in zip(made, DATA, strict=False):
        write(service, volume["id"], data)
    return group, made


@pytest.mark.parametrize("source", ["group_snapshot_id", "source_group_id"])
def test_a_copy_of_a_group_has_its_data(service, client, types, source):
    group, made = full(service, client)
    taken = None
    if source == "group_snapshot_id":
        taken = kept(client, group["id"], name="s", description="of all")
        listed = client("GET", "/snapshots/detail", expect=200)["snapshots"]
        assert {one["group_snapshot_id"] for one in listed} == {taken["id"]} and len(listed) == 2
        client("DELETE", f"/snapshots/{listed[0]['id']}", expect=400)
        act(client, group["id"], expect=400, delete={"delete-volumes": True})
        for volume, data in zip(made, DATA[2:], strict=True):
            write(service, volume["id"], data)
    body = {"name": "copy", source: taken["id"] if taken else group["id"]}
    copy = client("POST", "/groups/action", {"create-from-src": body}, expect=202)["group"]
    copy = shown(client, copy["id"], "available")
    assert copy[source] == body[source] and copy["group_type"] == group["group_type"]
    copies = [client("GET", f"/volumes/{id}", expect=200)["volume"] for id in copy["volumes"]]
    assert {(one["size"], one["status"]) for one in copies} == {(1, "available"), (2, "available")}
    for one in copies:
        assert read(service, one["id"]) == DATA[one["size"] - 1]
    assert usage(client)["groups"] == 2 and usage(client)["volumes"] == 4
    if taken:
        forgotten(client, taken["id"])
    deleted(client, copy["id"], group["id"])
    sound(service, client)
    assert usage(client) == NOTHING and files(service) == []


def test_group_snapshots_are_listed(service, client, types):
    group, _ = full(service, client, sizes=(1,))
    made = [kept(client, group["id"], name=f"gs-{n}") for n in range(2)]
    page = client("GET", "/group_snapshots?limit=1&sort=name:asc", expect=200)
    assert [one["id"] for one in page["group_snapshots"]] == [made[0]["id"]] and "group_snapshot_links" in page
    detail = client("GET", f"/group_snapshots/detail?name=gs-1&group_id={group['id']}", expect=200)["group_snapshots"]
    assert detail == [made[1]] and made[1]["group_type_id"] == group["group_type"]
    client("POST", f"/group_snapshots/{made[0]['id']}/action", {"reset_status": {"status": "error"}}, expect=202)
    assert snapshot(client, made[0]["id"], "error")
    forgotten(client, *(one["id"] for one in made))
    deleted(client, group["id"])


def test_an_empty_group_is_neither_kept_nor_copied(client, types):
    group = a_group(client, "one")
    client("POST", "/group_snapshots", {"group_snapshot": {"group_id": group["id"]}}, expect=400)
    for body in ({"source_group_id": group["id"]}, {}, {"source_group_id": group["id"],
                                                        "group_snapshot_id": group["id"]}):
        client("POST", "/groups/action", {"create-from-src": body}, expect=400)
    deleted(client, group["id"], with_volumes=False)


def test_a_consistent_group_is_kept_while_nothing_writes(service, client, types):
    type_ = a_type(client, group_specs={"consistent_group_snapshot_enabled": "<is> True"})
    group = a_group(client, "one", group_type=type_["id"])
    volume = client.made("volumes", size=1, volume_type="one", group_id=group["id"])
    attachment = client("POST", "/attachments", {"attachment": {
        "volume_uuid": volume["id"], "instance_uuid": str(uuid.uuid4())}}, expect=200)["attachment"]
    client("POST", "/group_snapshots", {"group_snapshot": {"group_id": group["id"]}}, expect=400)
    client("DELETE", f"/attachments/{attachment['id']}", expect=200)
    forgotten(client, kept(client, group["id"])["id"])
    deleted(client, group["id"])


# -- what goes wrong

def test_a_failed_group_snapshot_leaves_nothing(service, client, types, gate):
    group, made = full(service, client)
    before = usage(client), files(service)
    opened = gate("fail-create_snapshot")
    taken = kept(client, group["id"], status="error")
    opened()
    assert (usage(client), files(service)) == before
    forgotten(client, taken["id"])
    deleted(client, group["id"])
    sound(service, client)


def test_a_group_whose_copy_failed_can_be_deleted(service, client, types, gate):
    group, _ = full(service, client)
    opened = gate("fail-clone")
    copy = client("POST", "/groups/action", {"create-from-src": {"source_group_id": group["id"]}}, expect=202)["group"]
    copy = shown(client, copy["id"], "error")
    opened()
    assert {client("GET", f"/volumes/{id}", expect=200)["volume"]["status"] for id in copy["volumes"]} == {"error"}
    assert usage(client)["volumes"] == 2
    deleted(client, copy["id"], group["id"])
    sound(service, client)
    assert usage(client) == NOTHING and files(service) == []


def test_reset_status_during_a_group_operation(service, client, types, gate):
    group, _ = full(service, client)
    opened = gate("hold-create_snapshot")
    taken = client("POST", "/group_snapshots", {"group_snapshot": {"group_id": group["id"]}},
                   expect=202)["group_snapshot"]
    client("POST", f"/group_snapshots/{taken['id']}/action", {"reset_status": {"status": "error"}}, expect=202)
    opened()
    sound(service, client)
    forgotten(client, taken["id"])
    deleted(client, group["id"])
    sound(service, client)
    assert usage(client) == NOTHING and files(service) == []


# -- the legacy API

def test_consistency_groups_are_groups_of_one_type(service, client, types):
    body = {"name": "cg", "volume_types": "one"}
    legacy, = [one for one in client("GET", "/group_types", expect=200)["group_types"]
               if one["name"] == "default_cgsnapshot_type"]
    assert legacy["is_public"] and legacy["group_specs"] == {"consistent_group_snapshot_enabled": "<is> True"}
    client("POST", "/groups", {"group": {"group_type": legacy["id"], "volume_types": ["one"]}}, expect=400)
    client("POST", "/consistencygroups", {"consistencygroup": {**body, "volume_types": "gone"}}, expect=404)
    group = client("POST", "/consistencygroups", {"consistencygroup": body}, expect=202)["consistencygroup"]
    seen = client.settled("consistencygroups", group["id"])
    assert seen["volume_types"] == [types["one"]]
    client("GET", f"/groups/{group['id']}", expect=400)
    volume = client.create("volumes", size=1, volume_type="one", consistencygroup_id=group["id"])
    assert (volume["consistencygroup_id"], volume["group_id"]) == (group["id"], group["id"])
    client.settled("volumes", volume["id"])
    shown = [client("GET", f"/volumes/{volume['id']}", expect=200)["volume"],
            *client("GET", "/volumes/detail", expect=200)["volumes"],
            client("PUT", f"/volumes/{volume['id']}", {"volume": {"name": "member"}}, expect=200)["volume"]]
    assert [one["consistencygroup_id"] for one in shown] == [group["id"]] * 3
    write(service, volume["id"], DATA[0])
    client("PUT", f"/consistencygroups/{group['id']}/update", {"consistencygroup": {"name": "", "description": "x"}},
           expect=202)
    client("PUT", f"/consistencygroups/{group['id']}", {"consistencygroup": {"name": ""}}, version="3.5", expect=400)
    taken = client("POST", "/cgsnapshots", {"cgsnapshot": {"consistencygroup_id": group["id"]}},
                   expect=202)["cgsnapshot"]
    until(lambda: client("GET", f"/cgsnapshots/{taken['id']}", expect=200)["cgsnapshot"]["status"] == "available", "it")
    copy = client("POST", "/consistencygroups/create_from_src", {"consistencygroup-from-src": {
        "cgsnapshot_id": taken["id"]}}, expect=202)["consistencygroup"]
    until(lambda: client("GET", f"/consistencygroups/{copy['id']}",
                         expect=200)["consistencygroup"]["status"] == "available",
          f"the copy: {client.why(copy['id'])}")
    copies = [one["id"] for one in client("GET", f"/volumes?group_id={copy['id']}", expect=200)["volumes"]]
    assert [read(service, id) for id in copies] == [DATA[0]]
    assert len(client("GET", "/consistencygroups/detail", expect=200)["consistencygroups"]) == 2
    assert [one["id"] for one in client("GET", "/cgsnapshots", expect=200)["cgsnapshots"]] == [taken["id"]]
    kept_apart(client, group["id"], taken["id"])
    client("DELETE", f"/cgsnapshots/{taken['id']}", expect=202)
    until(lambda: client("GET", f"/cgsnapshots/{taken['id']}")[0] == 404, "the snapshot to be gone")
    client("POST", f"/consistencygroups/{group['id']}/delete", {"consistencygroup": {"force": False}}, expect=400)
    for id in (group["id"], copy["id"]):
        client("POST", f"/consistencygroups/{id}/delete", {"consistencygroup": {"force": True}}, expect=202)
        until(lambda id=id: client("GET", f"/consistencygroups/{id}")[0] == 404, "it to be gone")
    client("DELETE", f"/group_types/{legacy['id']}", expect=202)
    refusal = client("POST", "/consistencygroups", {"consistencygroup": body}, expect=400)["badRequest"]["message"]
    assert "default_cgsnapshot_type" in refusal
    sound(service, client)
    assert usage(client) == NOTHING


def kept_apart(client, group, snapshot):
    """The API of groups has nothing to do with a consistency group; that of consistency groups shows all."""
    ordinary = a_group(client, "one")["id"]
    for path in ("/groups", "/groups/detail"):
        assert [one["id"] for one in client("GET", path, expect=200)["groups"]] == [ordinary]
    assert {group, ordinary} <= {one["id"] for one in client("GET", "/consistencygroups",
                                                             expect=200)["consistencygroups"]}
    for path in ("/group_snapshots", "/group_snapshots/detail"):
        assert client("GET", path, expect=200)["group_snapshots"] == []
    for method, path, body in (
            ("GET", f"/groups/{group}", None), ("PUT", f"/groups/{group}", {"group": {"name": "x"}}),
            ("POST", f"/groups/{group}/action", {"delete": {"delete-volumes": True}}),
            ("POST", "/groups/action", {"create-from-src": {"source_group_id": group}}),
            ("POST", "/groups/action", {"create-from-src": {"group_snapshot_id": snapshot}}),
            ("POST", "/group_snapshots", {"group_snapshot": {"group_id": group}}),
            ("GET", f"/group_snapshots/{snapshot}", None), ("DELETE", f"/group_snapshots/{snapshot}", None)):
        assert "use /consistencygroups and /cgsnapshots" in client(method, path, body,
                                                                   expect=400)["badRequest"]["message"]
    deleted(client, ordinary, with_volumes=False)
