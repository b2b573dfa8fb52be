"""QoS specs and encryption of volume types, and what an attaching host receives of them."""

import collections
import json
import uuid

import pytest
import requests

from cinder_lite.volume import qos
from tests.functional.client import Client
from tests.functional.service import Service, until

SERVER = "6a2f5c33-9c35-4b7b-9a2d-2f0c2f7b9c11"
CONNECTOR = {"host": "node", "initiator": "iqn.1993-08.org.debian:01:abc", "ip": "127.0.0.1"}


CHOOSY = """
[null-2]
volume_driver = null
volume_backend_name = choosy
filter_function = qos.maxIOPS > 5
"""


@pytest.fixture(scope="module")
def service():
    default = ("quota_volumes = 100\nscheduler_default_filters = CapabilitiesFilter,DriverFilter\n"
               "[key_manager]\nfixed_key = 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n")
    with Service(backends=("null-1", "null-2"), target=False, default=default, sections={"null-2": CHOOSY}) as running:
        yield running


@pytest.fixture
def client(service):
    return Client(service.url)


def a_type(client, **more):
    return client("POST", "/types", {"volume_type": {"name": f"t-{uuid.uuid4()}", **more}}, expect=200)["volume_type"]


def a_spec(client, **keys):
    return client("POST", "/qos-specs", {"qos_specs": {"name": f"q-{uuid.uuid4()}", **keys}}, expect=200)["qos_specs"]


def connected(client, type_id):
    """Return the connection information of an attachment of a new volume of that type."""
    volume = client.made("volumes", size=1, volume_type=type_id)
    attachment = client("POST", "/attachments", {"attachment": {
        "volume_uuid": volume["id"], "instance_uuid": SERVER, "connector": CONNECTOR}}, expect=200)["attachment"]
    initialized = client("POST", f"/volumes/{volume['id']}/action", {
        "os-initialize_connection": {"connector": CONNECTOR}}, expect=200)["connection_info"]["data"]
    info = attachment["connection_info"]
    assert (info["qos_specs"], info["encrypted"]) == (initialized["qos_specs"], initialized["encrypted"])
    client("DELETE", f"/attachments/{attachment['id']}", expect=200)
    return volume, info


# -- QoS

def test_a_qos_spec_is_created_changed_and_deleted(client):
    answer = client("POST", "/qos-specs", {"qos_specs": {"name": " gold ", "consumer": "both", "read_iops_sec": "100"}},
                    expect=200)
    spec = answer["qos_specs"]
    assert spec == {"id": spec["id"], "name": "gold", "consumer": "both", "specs": {"read_iops_sec": "100"}}
    assert [link["rel"] for link in answer["links"]] == ["self", "bookmark"]
    assert client("POST", "/qos-specs", {"qos_specs": {"name": "gold"}})[0] == 409
    changes = {"qos_specs": {"write_iops_sec": "50", "read_iops_sec": "7", "consumer": "back-end"}}
    assert client("PUT", f"/qos-specs/{spec['id']}", changes, expect=200) == changes
    client("PUT", f"/qos-specs/{spec['id']}/delete_keys", {"keys": ["write_iops_sec"]}, expect=202)
    assert client("PUT", f"/qos-specs/{spec['id']}/delete_keys", {"keys": ["write_iops_sec"]})[0] == 404
    shown = client("GET", f"/qos-specs/{spec['id']}", expect=200)
    assert shown["qos_specs"] == {**spec, "consumer": "back-end", "specs": {"read_iops_sec": "7"}}
    assert client("GET", "/qos-specs?name=gold", expect=200)["qos_specs"] == [shown["qos_specs"]]
    client("DELETE", f"/qos-specs/{spec['id']}", expect=202)
    assert client("GET", f"/qos-specs/{spec['id']}")[0] == 404


def test_specs_come_in_pages(client):
    ids = {a_spec(client)["id"] for _ in range(3)}
    seen, marker = set(), ""
    while True:
        page = client("GET", f"/qos-specs?limit=2&sort=name:asc{marker}", expect=200)
        seen |= {one["id"] for one in page["qos_specs"]}
        if "qos_specs_links" not in page:
            break
        marker = f"&marker={page['qos_specs'][-1]['id']}"
    assert ids <= seen
    assert client("GET", f"/qos-specs?marker={uuid.uuid4()}")[0] == 404


def test_a_spec_goes_with_types(client):
    spec, other, type_ = a_spec(client, a="1"), a_spec(client), a_type(client)
    path = f"/qos-specs/{spec['id']}"
    for _ in range(2):
        client("GET", f"{path}/associate?vol_type_id={type_['id']}", expect=202)
    assert client("GET", f"{path}/associations", expect=200)["qos_associations"] == [
        {"association_type": "volume_type", "name": type_["name"], "id": type_["id"]}]
    assert client("GET", f"/types/{type_['id']}", expect=200)["volume_type"]["qos_specs_id"] == spec["id"]
    status, refusal = client("GET", f"/qos-specs/{other['id']}/associate?vol_type_id={type_['id']}")
    assert status == 400 and spec["id"] in refusal["badRequest"]["message"]
    status, refusal = client("DELETE", path)
    assert status == 400 and type_["name"] in refusal["badRequest"]["message"]
    client("GET", f"{path}/disassociate?vol_type_id={type_['id']}", expect=202)
    assert client("GET", f"{path}/associations", expect=200)["qos_associations"] == []
    client("GET", f"{path}/associate?vol_type_id={type_['id']}", expect=202)
    client("GET", f"{path}/disassociate_all", expect=202)
    assert client("GET", f"{path}/associations", expect=200)["qos_associations"] == []
    client("GET", f"{path}/associate?vol_type_id={type_['id']}", expect=202)
    client("DELETE", f"{path}?force=True", expect=202)
    assert client("GET", f"/types/{type_['id']}", expect=200)["volume_type"]["qos_specs_id"] is None


@pytest.mark.parametrize(("consumer", "heard"), [("front-end", True), ("both", True), ("back-end", False)])
def test_a_host_receives_its_qos_specs(client, consumer, heard):
    spec, type_ = a_spec(client, consumer=consumer, total_iops_sec="500"), a_type(client)
    client("GET", f"/qos-specs/{spec['id']}/associate?vol_type_id={type_['id']}", expect=202)
    assert connected(client, type_["id"])[1]["qos_specs"] == ({"total_iops_sec": "500"} if heard else None)


def of_spec(client, consumer, backend=None, **keys):
    """The id of a new type with a QoS spec."""
    spec = a_spec(client, consumer=consumer, **keys)
    type_ = a_type(client, extra_specs={"volume_backend_name": backend} if backend else {})
    client("GET", f"/qos-specs/{spec['id']}/associate?vol_type_id={type_['id']}", expect=202)
    return type_["id"]


RATES = [f"{whom}_{what}_sec" for whom in ("total", "read", "write") for what in ("iops", "bytes")]


@pytest.mark.parametrize(("specs", "size", "heard"), [
    ({"{}_per_gb": "10"}, 1, {"{}": 10}), ({"{}_per_gb": "10"}, 3, {"{}": 30}),
    ({"{}_per_gb": "10", "{}_per_gb_min": "25"}, 2, {"{}": 25}),
    ({"{}_per_gb": "10", "{}_per_gb_min": "25"}, 3, {"{}": 30}),
    ({"{}_per_gb": "10", "{}_max": "25"}, 2, {"{}": 20}), ({"{}_per_gb": "10", "{}_max": "25"}, 3, {"{}": 25}),
    ({"{}_per_gb": "10", "{}_per_gb_min": "50", "{}_max": "25"}, 1, {"{}": 25}),
    ({"{}_per_gb": "0"}, 3, {"{}": 0}), ({"{}_per_gb": "10", "{}": "7"}, 3, {"{}": 30}),
    ({"{}_per_gb": "10", "size_iops_sec": "4096", "{}_max_length": "5"}, 1, {
        "{}": 10, "size_iops_sec": "4096", "{}_max_length": "5"}),
    # Without a rate per GiB, the others are what they are everywhere.
    ({"{}": "10", "{}_max": "25", "{}_per_gb_min": "3"}, 3, {"{}": "10", "{}_max": "25", "{}_per_gb_min": "3"}),
    ({"{}_per_gb": "much", "colour": "red"}, 1, {"colour": "red"}),
    ({"{}_per_gb": None, "{}": "7", "{}_max": None}, 2, {"{}": "7"}),
    ({"{}_per_gb": "3", "{}_max": None}, 2, {"{}": 6}),
])
@pytest.mark.parametrize("rate", RATES)
def test_a_rate_per_gib_is_that_of_the_volumes_size(rate, specs, size, heard):
    row = Row(type_qos_consumer="both", type_qos_specs=keyed(specs, rate), size=size)
    assert qos.of_front_end(row) == keyed(heard, rate)
    assert row.type_qos_specs == keyed(specs, rate)


def keyed(specs, rate):
    return {key.format(rate): value for key, value in specs.items()}


Row = collections.namedtuple("Row", ["type_qos_consumer", "type_qos_specs", "size"])


def test_a_host_receives_the_rate_for_the_current_size(client):
    type_id = of_spec(client, "front-end", total_iops_sec_per_gb="10", read_iops_sec="7")
    volume, info = connected(client, type_id)
    assert info["qos_specs"] == {"total_iops_sec": 10, "read_iops_sec": "7"}
    client("POST", f"/volumes/{volume['id']}/action", {"os-extend": {"new_size": 4}}, expect=202)
    client.settled("volumes", volume["id"])
    again = client("POST", f"/volumes/{volume['id']}/action", {
        "os-initialize_connection": {"connector": CONNECTOR}}, expect=200)["connection_info"]["data"]
    assert again["qos_specs"] == {"total_iops_sec": 40, "read_iops_sec": "7"}


#: (consumers of the two types' specs, whether an attached volume may change from one to the other)
@pytest.mark.parametrize(("consumers", "may"), [
    ((None, None), True), (("back-end", None), True), ((None, "back-end"), True), (("back-end", "back-end"), True),
    (("front-end", None), False), ((None, "front-end"), False), (("both", "back-end"), False),
    (("back-end", "both"), False),
    (("front-end", "front-end"), False)])
def test_the_limits_of_a_host_do_not_change_under_it(client, consumers, may):
    old, new = (of_spec(client, one, a="1") if one else a_type(client)["id"] for one in consumers)
    volume = client.made("volumes", size=1, volume_type=old)
    attachment = client("POST", "/attachments", {"attachment": {
        "volume_uuid": volume["id"], "instance_uuid": SERVER, "connector": CONNECTOR}}, expect=200)["attachment"]["id"]
    client("POST", f"/attachments/{attachment}/action", {"os-complete": {}}, expect=204)
    status, refusal = client("POST", f"/volumes/{volume['id']}/action", {"os-retype": {"new_type": new}})
    assert status == (202 if may else 400)
    assert may or "front-end QoS" in refusal["badRequest"]["message"]
    if not may:
        client("DELETE", f"/attachments/{attachment}", expect=200)
        client("POST", f"/volumes/{volume['id']}/action", {"os-retype": {"new_type": new}}, expect=202)


def test_the_same_spec_in_two_types_lets_an_attached_volume_change(client):
    old, new = of_spec(client, "front-end", a="1"), a_type(client)["id"]
    spec = client("GET", f"/types/{old}", expect=200)["volume_type"]["qos_specs_id"]
    client("GET", f"/qos-specs/{spec}/associate?vol_type_id={new}", expect=202)
    volume = client.made("volumes", size=1, volume_type=old)
    client("POST", f"/volumes/{volume['id']}/action", {"os-attach": {"instance_uuid": SERVER,
                                                                     "mountpoint": "/dev/vdb"}},
           expect=202)
    client("POST", f"/volumes/{volume['id']}/action", {"os-retype": {"new_type": new}}, expect=202)


@pytest.mark.parametrize("consumer", ["front-end", "back-end", "both"])
def test_a_filter_function_can_use_qos_specs(client, consumer):
    def limited(number):
        return of_spec(client, consumer, "choosy", maxIOPS=number)

    refused = client.create("volumes", size=1, volume_type=limited("4"))["id"]
    until(lambda: client("GET", f"/volumes/{refused}", expect=200)["volume"]["status"] == "error", "the volume's end")
    assert "qos.maxIOPS > 5' is not true" in str(client.why(refused))
    volume = client.made("volumes", size=1, volume_type=limited("6"))["id"]
    for number, ends in (("5", "failed"), ("9", "succeeded")):
        client("POST", f"/volumes/{volume}/action", {"os-retype": {"new_type": limited(number)}}, expect=202)
        until(lambda ends=ends: ("retype", ends) in [one[:2] for one in client.why(volume)], f"a retype that {ends}")


@pytest.mark.parametrize("body", [{}, {"name": ""}, {"name": "x", "consumer": "nobody"}, {"name": "x", "iops": 5}])
def test_a_bad_spec_is_refused(client, body):
    assert client("POST", "/qos-specs", {"qos_specs": body})[0] == 400


@pytest.mark.parametrize("query", ["", "?vol_type_id=", f"?vol_type_id={uuid.uuid4()}"])
def test_an_association_needs_a_type(client, query):
    spec = a_spec(client)
    assert client("GET", f"/qos-specs/{spec['id']}/associate{query}")[0] == (404 if len(query) > 20 else 400)
    assert client("GET", f"/qos-specs/{uuid.uuid4()}/associate{query}")[0] == 404


# -- encryption

LUKS = {"provider": "luks", "control_location": "front-end", "cipher": "aes-xts-plain64", "key_size": 256}


def encrypted(client):
    type_ = a_type(client)
    client("POST", f"/types/{type_['id']}/encryption", {"encryption": LUKS}, expect=200)
    return type_["id"]


def test_the_encryption_of_a_type_is_created_changed_and_deleted(client):
    type_ = a_type(client)
    path = f"/types/{type_['id']}/encryption"
    assert client("GET", path, expect=200) == {}
    made = client("POST", path, {"encryption": LUKS}, expect=200)["encryption"]
    assert made == {**LUKS, "volume_type_id": type_["id"], "encryption_id": made["encryption_id"]}
    assert client("POST", path, {"encryption": LUKS})[0] == 400
    shown = client("GET", path, expect=200)
    assert shown == {**made, "created_at": shown["created_at"], "updated_at": None, "deleted": False,
                     "deleted_at": None}
    sent = {"encryption": {"key_size": "512", "cipher": None}}
    assert client("PUT", f"{path}/{made['encryption_id']}", sent, expect=200) == sent
    assert client("PUT", f"{path}/provider", sent, expect=200) == sent
    assert client("GET", f"{path}/key_size", expect=200) == {"key_size": 512}
    assert client("GET", f"{path}/cipher")[0] == client("GET", f"{path}/colour")[0] == 404
    assert client("PUT", f"{path}/{uuid.uuid4()}", sent)[0] == 404
    client("DELETE", f"{path}/provider", expect=202)
    assert client("GET", path, expect=200) == {}
    assert client("DELETE", f"{path}/provider")[0] == 404


def test_encryption_in_use_stays(client):
    type_id = encrypted(client)
    volume = client.made("volumes", size=1, volume_type=type_id)
    assert client("DELETE", f"/types/{type_id}/encryption/provider")[0] == 400
    plain = a_type(client)
    client.made("volumes", size=1, volume_type=plain["id"])
    assert client("POST", f"/types/{plain['id']}/encryption", {"encryption": LUKS})[0] == 400
    assert volume["encrypted"] is True


def test_an_encrypted_volume_is_marked(client):
    volume, info = connected(client, encrypted(client))
    assert volume["encrypted"] is True and info["encrypted"] is True
    path = f"/volumes/{volume['id']}/encryption"
    zeros = "00000000-0000-0000-0000-000000000000"
    assert client("GET", path, expect=200) == {**LUKS, "encryption_key_id": zeros}
    for key, text in (("provider", "luks"), ("key_size", "256"), ("encryption_key_id", zeros)):
        answer = requests.get(f"{client.base}/v3/{client.project}{path}/{key}", timeout=60,
                              headers={"X-Auth-Token": f"tester:{client.project}"})
        assert (answer.status_code, answer.text) == (200, text)
        assert answer.headers["Content-Type"].startswith("text/plain")
    assert client("GET", f"{path}/colour")[0] == 404
    plain = client.made("volumes", size=1)
    assert client("GET", f"/volumes/{plain['id']}/encryption", expect=200) == {"encryption_key_id": None}


def test_copies_of_encrypted_volumes_are_encrypted(client):
    volume = client.made("volumes", size=1, volume_type=encrypted(client))
    snapshot = client.made("snapshots", volume_id=volume["id"])
    for source in ({"source_volid": volume["id"]}, {"snapshot_id": snapshot["id"]}):
        assert client.made("volumes", size=1, **source)["encrypted"] is True
        status, refusal = client("POST", "/volumes", {"volume": {"size": 1, "volume_type": "__DEFAULT__", **source}})
        assert status == 400 and "encrypted" in json.dumps(refusal)
    plain = client.made("volumes", size=1)
    assert client("POST", "/volumes", {"volume": {
        "size": 1, "volume_type": encrypted(client), "source_volid": plain["id"]}})[0] == 400


def test_further_keys_of_an_encryption_are_ignored(client):
    made = client("POST", f"/types/{a_type(client)['id']}/encryption", {"encryption": {**LUKS, "colour": "red"}},
                  expect=200)
    assert "colour" not in made["encryption"]


def test_a_spec_without_values_limits_nothing(client):
    spec = a_spec(client, consumer=None, total_iops_sec=None)
    assert (spec["consumer"], spec["specs"]) == ("back-end", {"total_iops_sec": None})


@pytest.mark.parametrize("body", [{}, {"provider": "luks"}, {**LUKS, "control_location": "middle"},
                                  {**LUKS, "key_size": -1}, {**LUKS, "key_size": "big"}])
def test_bad_encryption_is_refused(client, body):
    assert client("POST", f"/types/{a_type(client)['id']}/encryption", {"encryption": body})[0] == 400


def test_without_keys_encrypted_volumes_are_refused():
    with Service(backends=("null-1",), target=False) as running:
        client = Client(running.url)
        status, refusal = client("POST", "/volumes", {"volume": {"size": 1, "volume_type": encrypted(client)}})
        assert status == 400 and "set fixed_key in [key_manager]" in refusal["badRequest"]["message"]
