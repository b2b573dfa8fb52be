"""Managing and unmanaging existing volumes and snapshots, with their data."""

import os
import random

import pytest

from tests.functional import people
from tests.functional.client import Client
from tests.functional.service import Service, until
from tests.functional.test_administrators import sound

DATA = random.Random(8).randbytes(2 * 1024**2)
GIB = 1024**3
HOST = "test@file-1#file-1"


@pytest.fixture(scope="module")
def service():
    with Service(default="job_sweep_interval = 0.2\nquota_gigabytes = 20") as running:
        yield running


@pytest.fixture
def client(service):
    return Client(service.url)


def path(service, name):
    return os.path.join(service.state, "volumes", name)


@pytest.fixture
def foreign(service):
    """foreign(name, size) creates an unmanaged file on the backend."""
    made = []

    def make(name, size=GIB):
        made.append(path(service, name))
        with open(made[-1], "wb") as file:
            file.write(DATA)
            file.truncate(size)
        return name

    yield make
    for one in made:
        if os.path.exists(one):
            os.remove(one)


def holds(service, name):
    with open(path(service, name), "rb") as file:
        return file.read(len(DATA)) == DATA


def manage(client, source, expect=202, host=HOST, at="/manageable_volumes", **more):
    body = {"host": host, "ref": {"source-name": source}, **more}
    return client("POST", at, {"volume": body}, expect=expect)


def managed(client, source, **more):
    return client.settled("volumes", manage(client, source, **more)["volume"]["id"])


def listed(client, kind="volumes", query="", detail=True):
    found = client("GET", f"/manageable_{kind}{'/detail' if detail else ''}?host={HOST.replace('#', '%23')}{query}",
                   expect=200)
    return {one["reference"]["source-name"]: one for one in found[f"manageable-{kind}"]}


def usage(client):
    return {key: value["in_use"] for key, value in client(
        "GET", f"/os-quota-sets/{client.project}?usage=True", expect=200)["quota_set"].items()
        if key != "id" and not key.endswith("__DEFAULT__") and value["in_use"]}


def let_go(client, kind, id, expect=202):
    client("POST", f"/{kind}/{id}/action", {"os-unmanage": None if kind == "volumes" else {}}, expect=expect)


def removed(service, client, *ids):
    for id in ids:
        client("DELETE", f"/volumes/{id}", expect=202)
        client.gone("volumes", id)
    sound(service, client)
    assert usage(client) == {}


@pytest.mark.parametrize("at", ["/manageable_volumes", "/os-volume-manage"])
def test_a_volume_is_managed(service, client, foreign, at):
    name = foreign("disk-of-others", GIB + 5)
    seen = listed(client)[name]
    assert seen["safe_to_manage"] and seen["size"] == 2 and seen["cinder_id"] is seen["reason_not_safe"] is None
    volume = managed(client, name, at=at, name="taken", description="over", metadata={"of": "others"}, bootable=True)
    assert (volume["size"], volume["name"], volume["metadata"], volume["bootable"]) == (2, "taken", {"of": "others"},
                                                                                        "true")
    assert volume["os-vol-host-attr:host"] == HOST
    mine = f"volume-{volume['id']}"
    assert not os.path.exists(path(service, name)) and holds(service, mine)
    assert os.stat(path(service, mine)).st_size == 2 * GIB
    assert usage(client)["gigabytes"] == 2
    seen = listed(client)[mine]
    assert (seen["safe_to_manage"], seen["reason_not_safe"], seen["cinder_id"]) == (False, "already managed",
                                                                                    volume["id"])
    removed(service, client, volume["id"])
    assert not os.path.exists(path(service, mine))


def test_a_volume_is_unmanaged_and_managed_again(service, client, foreign):
    volume = managed(client, foreign("one"))
    let_go(client, "volumes", volume["id"])
    client.gone("volumes", volume["id"])
    name = f"volume-{volume['id']}"
    assert holds(service, name) and usage(client) == {}
    assert listed(client)[name]["safe_to_manage"]
    again = managed(client, name)
    assert again["id"] != volume["id"] and holds(service, f"volume-{again['id']}")
    removed(service, client, again["id"])


def test_managed_and_missing_volumes_are_refused(service, client):
    ours = client.made("volumes", size=1)
    for name, why in ((f"volume-{ours['id']}", f"it belongs to volume {ours['id']} already"),
                      ("nothing", "cannot inspect nothing: No such file"),
                      ("../cinder.sqlite", "'../cinder.sqlite' is not the name of a file")):
        id = manage(client, name)["volume"]["id"]
        assert client.settled("volumes", id, "error")["status"] == "error"
        assert why in client.why(id)[0][2]
        until(lambda id=id: [one for one in client("GET", f"/messages?resource_uuid={id}", expect=200)["messages"]
                             if one["user_message"].startswith("manage volume: ")], "a message")
        client("DELETE", f"/volumes/{id}", expect=202)
        client.gone("volumes", id)
    assert os.path.exists(path(service, f"volume-{ours['id']}")) and usage(client) == {"volumes": 1, "gigabytes": 1}
    removed(service, client, ours["id"])


def test_a_volume_beyond_the_quota_is_not_changed(service, client, foreign):
    name = foreign("big", 21 * GIB)
    id = manage(client, name)["volume"]["id"]
    client.settled("volumes", id, "error")
    assert "gigabytes" in client.why(id)[0][2].lower()
    assert holds(service, name) and usage(client) == {}
    client("POST", f"/volumes/{id}/action", {"os-force_delete": {}}, expect=202)
    client.gone("volumes", id)
    assert holds(service, name)
    sound(service, client)


def test_snapshots_are_unmanaged_and_managed(service, client, foreign):
    volume = managed(client, foreign("origin"))
    snapshot = client.made("snapshots", volume_id=volume["id"])
    let_go(client, "volumes", volume["id"], expect=400)
    name = f"snapshot-{snapshot['id']}"
    assert listed(client, "snapshots")[name]["cinder_id"] == snapshot["id"]
    let_go(client, "snapshots", snapshot["id"])
    client.gone("snapshots", snapshot["id"])
    assert holds(service, name) and "snapshots" not in usage(client)
    body = {"volume_id": volume["id"], "ref": {"source-name": name}, "name": "back", "metadata": {"a": "b"}}
    answer = client("POST", "/manageable_snapshots", {"snapshot": body}, expect=202)["snapshot"]
    back = client.settled("snapshots", answer["id"])
    assert (back["size"], back["name"], back["metadata"]) == (1, "back", {"a": "b"})
    made = client.made("volumes", size=1, snapshot_id=back["id"])
    assert holds(service, f"volume-{made['id']}")
    body["ref"] = {"source-name": "snapshot-of-nobody"}
    failed = client("POST", "/os-snapshot-manage", {"snapshot": body}, expect=202)["snapshot"]
    client.settled("snapshots", failed["id"], "error")
    for id in (back["id"], failed["id"]):
        client("DELETE", f"/snapshots/{id}", expect=202)
        client.gone("snapshots", id)
    removed(service, client, made["id"], volume["id"])


def test_lists_are_sorted_and_paged(service, client, foreign):
    for name, size in (("a", 3 * GIB), ("b", GIB), ("c", 2 * GIB)):
        foreign(name, size)
    assert list(listed(client)) == ["c", "b", "a"]
    assert list(listed(client, query="&sort=reference:asc&limit=2")) == ["a", "b"]
    assert list(listed(client, query="&sort=size:desc&offset=1", detail=False)) == ["c", "b"]
    assert list(listed(client, query="&sort=reference:asc&marker=a&limit=1")) == ["b"]
    assert set(listed(client, detail=False)["a"]) == {"reference", "size", "safe_to_manage"}
    assert set(listed(client)["a"]) == {"reference", "size", "safe_to_manage", "reason_not_safe", "cinder_id",
                                        "extra_info"}


@pytest.mark.parametrize(("query", "says"), [
    ("", "Exactly one host"), ("cluster=c", "There is no cluster c"),
    (f"host={HOST.split('#')[0]}&sort=name", "reference and size"),
    (f"host={HOST.split('#')[0]}&marker=x", "The marker x")])
def test_a_bad_request_is_refused_with_the_valid_values(service, client, query, says):
    for kind in ("volumes", "snapshots"):
        assert says in client("GET", f"/manageable_{kind}?{query}", expect=400)["badRequest"]["message"]


@pytest.mark.parametrize("body", [
    {"ref": {"source-name": "x"}}, {"host": HOST}, {"host": HOST, "ref": "x"}])
def test_a_bad_request_is_refused(service, client, body):
    client("POST", "/manageable_volumes", {"volume": body}, expect=400)
    assert usage(client) == {}


@pytest.mark.parametrize("path", ["manageable_volumes", "os-volume-manage", "manageable_snapshots",
                                  "os-snapshot-manage"])
def test_an_unknown_host_is_not_found(client, path):
    refusals = [client("GET", f"/{path}{detail}?host=nowhere@one", expect=404)["itemNotFound"]
                for detail in ("", "/detail")]
    if "volume" in path:
        body = {"volume": {"host": "nowhere@one#one", "ref": {"source-name": "x"}}}
        refusals.append(client("POST", f"/{path}", body,
                               expect=400)["badRequest"])  # as Cinder says to what a body names
    for refusal in refusals:
        assert refusal["message"] == "There is no volume service nowhere@one; the volume services are: test@file-1."
    assert usage(client) == {}


def test_the_paths_have_their_versions(service, client, foreign):
    foreign("old")
    client("GET", f"/manageable_volumes?host={HOST.replace('#', '%23')}", version="3.7", expect=404)
    found = client("GET", f"/os-volume-manage?host={HOST.replace('#', '%23')}", version="3.7",
                   expect=200)["manageable-volumes"]
    assert [one["reference"] for one in found] == [{"source-name": "old"}]


def test_an_attached_volume_is_kept(service, client, foreign):
    volume = managed(client, foreign("held"))
    attachment = client("POST", "/attachments", {"attachment": {
        "volume_uuid": volume["id"], "instance_uuid": "6a2f5c33-9c35-4b7b-9a2d-2f0c2f7b9c11"}},
                        expect=200)["attachment"]
    let_go(client, "volumes", volume["id"], expect=400)
    client("DELETE", f"/attachments/{attachment['id']}", expect=200)
    removed(service, client, volume["id"])


REFERENCES = [{}, "a-name", {"source-id": "x"}, {"source-name": 5}, {"source-name": None}, {"source-name": ""},
              {"source-name": ["a"]}, {"source-name": {"a": "b"}}, {"a": {"b": [1, None]}, "c": 2},
              {"source-name": "a\tb"}]


@pytest.mark.parametrize("at", ["/manageable_volumes", "/os-volume-manage"])
@pytest.mark.parametrize("reference", REFERENCES)
def test_an_invalid_reference_is_refused_with_a_message(client, at, reference):
    body = {"host": HOST, "ref": reference}
    said = client("POST", at, {"volume": body}, expect=400)["badRequest"]["message"]
    assert "a reference has the form" in said


@pytest.mark.parametrize("at", ["/manageable_snapshots", "/os-snapshot-manage"])
def test_the_same_of_snapshots(service, client, at):
    volume = client.made("volumes", size=1)
    for reference in (*REFERENCES, None):
        body = {"snapshot": {"volume_id": volume["id"], "ref": reference}}
        assert "a reference has the form" in client("POST", at, body, expect=400)["badRequest"]["message"]
    removed(service, client, volume["id"])


def test_a_reference_may_have_more_keys_than_a_name(service, client, foreign):
    body = {"host": HOST, "ref": {"source-name": foreign("one"), "of": {"somebody": [1]}}}
    volume = client.settled("volumes", client("POST", "/manageable_volumes", {"volume": body},
                                              expect=202)["volume"]["id"])
    removed(service, client, volume["id"])


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    with Service(backends=("null-1",), target=False,
                 default=people.options(tmp_path_factory.mktemp("people"))) as running:
        yield running


@pytest.mark.parametrize("at", ["/manageable_volumes", "/os-volume-manage", "/manageable_snapshots",
                                "/os-snapshot-manage"])
def test_members_get_403_for_any_reference(guarded, at):
    ann = people.client(guarded, "ann")
    volume = ann.made("volumes", size=1)["id"]
    for reference in (*REFERENCES, {"source-name": "x"}):
        body = {"volume": {"host": HOST, "ref": reference}} if "volume" in at else {
            "snapshot": {"volume_id": volume, "ref": reference}}
        assert ann("POST", at, body)[0] == 403
