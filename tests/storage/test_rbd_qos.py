"""QoS limits of RBD volumes, however they were created, as librbd applies them."""

import json
import re
import subprocess
import uuid

import pytest

from cinder_lite.doctor import Doctor
from cinder_lite.volume.drivers import base
from cinder_lite.volume.drivers.rbd.qos import OPTIONS
from tests.contract.backends import snapshot
from tests.functional.client import Client
from tests.functional.service import until
from tests.functional.test_administrators import sound
from tests.functional.test_moves import act, moved
from tests.storage import ceph as ceph_module
from tests.storage.real_cinder import ENVIRONMENT
from tests.storage.test_rbd_driver import ignore, listed, nothing_left
from tests.storage.test_rbd_service import running, show, with_types

LIMITED = {"total_iops_sec": "50", "total_bytes_sec": "10485760", "read_iops_sec_max": "700"}
HAS = {"rbd_qos_iops_limit": "50", "rbd_qos_bps_limit": "10485760", "rbd_qos_read_iops_burst": "700"}
OTHER = {"write_iops_sec": "30"}
#: Says what a Cinder makes of each key.
CINDERS = ("import json, sys; from cinder.volume.drivers import rbd; "
           "print(json.dumps({key: one['ceph_key'] for key, one in rbd.QOS_KEY_MAP.items()}))")


@pytest.fixture(scope="module")
def service(pool):
    with running(pool) as made:
        yield made


@pytest.fixture
def client(service):
    return with_types(Client(service.url))


def limited_type(client, consumer="back-end", backend="rbd-1", **specs):
    """The name of a new type with a QoS spec."""
    name = f"t-{uuid.uuid4()}"
    type_ = client("POST", "/types", {"volume_type": {
        "name": name, "extra_specs": {"volume_backend_name": backend} if backend else {}}}, expect=200)["volume_type"]
    spec = client("POST", "/qos-specs", {"qos_specs": {"name": name, "consumer": consumer, **specs}},
                  expect=200)["qos_specs"]
    client("GET", f"/qos-specs/{spec['id']}/associate?vol_type_id={type_['id']}", expect=202)
    return name


def image_of(row):
    return f"volume-{row.get('os-vol-mig-status-attr:name_id') or row['id']}"


def limits(pool, name):
    """The limits that an image has of its own."""
    return {one["name"]: one["value"] for one in listed(pool, "config", "image", "list", f"volumes/{name}")
            if one["source"] == "image" and one["name"].startswith("rbd_qos")}


def removed(client, *ids):
    for id in ids:
        client("DELETE", f"/volumes/{id}?cascade=True", expect=202)
        client.gone("volumes", id)


def retyped(client, id, name, **more):
    act(client, id, "os-retype", {"new_type": name, **more})
    return until(lambda: (found := show(client, id))["volume_type"] == name and found, "its new type")


# -- the driver

def volume(qos=None, id=None):
    return base.Volume(id or str(uuid.uuid4()), 1, qos=qos or {})


def test_keys_mean_what_they_mean_to_cinder_but_for_its_slip():
    said = subprocess.run([ENVIRONMENT / "bin" / "python", "-c", CINDERS], capture_output=True, text=True, timeout=120,
                          check=True)
    assert {**json.loads(said.stdout), "total_iops_sec_max": "rbd_qos_iops_burst"} == OPTIONS


def test_every_key_is_an_option_of_librbd(driver, pool):
    new = volume(qos={key: str(number + 1) for number, key in enumerate(OPTIONS)} | {"size_iops_sec": "9",
                                                                                     "colour": "red"})
    driver.create(new)
    assert limits(pool, new.name) == {option: str(number + 1) for number, option in enumerate(OPTIONS.values())}
    driver.delete(new)


@pytest.mark.parametrize("text", ["-1", "many", "", "1.5"])
def test_a_value_that_librbd_does_not_take_is_named_and_changes_nothing(driver, pool, text):
    made = volume(qos=LIMITED)
    driver.create(made)
    wrong = {"read_bytes_sec": "7", "total_iops_sec": "8", "write_bytes_sec": text}
    with pytest.raises(base.DriverError, match=f"write_bytes_sec = '{text}'"):
        driver.apply_qos(volume(id=made.id, qos=wrong))
    assert limits(pool, made.name) == HAS
    new = volume(qos=wrong)
    with pytest.raises(base.DriverError, match="write_bytes_sec"):
        driver.create(new)
    driver.delete(new)
    pool.rbd("create", "theirs", "--size", "1G")
    with pytest.raises(base.DriverError, match="write_bytes_sec"):
        driver.manage(new, {"source-name": "theirs"})
    assert limits(pool, "theirs") == {}
    pool.rbd("rm", "theirs")
    driver.delete(made)


def test_copies_have_their_own_limits_and_not_those_of_their_source(driver, pool):
    source, kept = volume(qos=LIMITED), None
    driver.create(source)
    kept = snapshot(source)
    driver.create_snapshot(kept)
    copies = [volume(qos={}), volume(qos=OTHER), volume(qos=LIMITED)]
    for copy in copies:
        driver.clone(copy, source, ignore)
    later = [volume(qos={}), volume(qos=OTHER)]
    for copy in later:
        driver.from_snapshot(copy, kept, ignore)
    other = {"rbd_qos_write_iops_limit": "30"}
    assert [limits(pool, one.name) for one in (*copies, *later)] == [{}, other, HAS, {}, other]
    assert limits(pool, source.name) == HAS
    for one in (*copies, *later):
        driver.delete(one)
    driver.delete_snapshot(kept)
    driver.delete(source)


def test_limits_are_put_on_taken_off_and_put_on_again(driver, pool):
    made = volume()
    driver.create(made)
    for specs, has in ((LIMITED, HAS), (LIMITED, HAS), (OTHER, {"rbd_qos_write_iops_limit": "30"}), ({}, {}), ({}, {})):
        driver.apply_qos(volume(id=made.id, qos=specs))
        assert limits(pool, made.name) == has
    driver.delete(made)


def test_a_backend_says_that_it_applies_them(driver):
    assert all(one.capabilities["qos_support"] and one.capabilities["QoS_support"] for one in driver.pools())


# -- the service

@pytest.mark.parametrize(("consumer", "applied"), [("back-end", True), ("both", True), ("front-end", False)])
def test_the_backend_applies_what_is_its_own(service, pool, client, consumer, applied):
    new = client.made("volumes", size=1, volume_type=limited_type(client, consumer, **LIMITED))
    assert limits(pool, image_of(new)) == (HAS if applied else {})
    removed(client, new["id"])


def test_rates_per_gib_are_the_hosts_alone(service, pool, client):
    name = limited_type(client, "both", total_iops_sec_per_gb="10", total_iops_sec_max="15", read_bytes_sec="4096")
    new = client.made("volumes", size=2, volume_type=name)
    assert limits(pool, image_of(new)) == {"rbd_qos_iops_burst": "15", "rbd_qos_read_bps_limit": "4096"}
    data = client("POST", f"/volumes/{new['id']}/action", {"os-initialize_connection": {"connector": {
        "host": "here", "initiator": "iqn.here"}}}, expect=200)["connection_info"]["data"]
    assert data["qos_specs"] == {"total_iops_sec": 15, "read_bytes_sec": "4096"}
    removed(client, new["id"])


def test_every_way_to_a_volume_leads_to_its_limits(service, pool, client):
    name, plain = limited_type(client, **LIMITED), "rbd-1"
    source = client.made("volumes", size=1, volume_type=name)
    kept = client.made("snapshots", volume_id=source["id"])
    backup = client.made("backups", volume_id=source["id"])
    ways = {
        "clone": client.made("volumes", size=1, source_volid=source["id"]),
        "snapshot": client.made("volumes", size=2, snapshot_id=kept["id"]),
        "backup": client.made("volumes", size=1, backup_id=backup["id"], volume_type=name)}
    pool.rbd("create", "theirs", "--size", "1G")
    managed = client("POST", "/manageable_volumes", {"volume": {
        "host": source["os-vol-host-attr:host"], "ref": {"source-name": "theirs"}, "volume_type": name}},
                     expect=202)["volume"]
    ways["manage"] = client.settled("volumes", managed["id"])
    for policy, former in (("on-demand", "file-1"), ("never", plain)):
        new = client.made("volumes", size=1, volume_type=former)
        ways[f"retype from {former}"] = retyped(client, new["id"], name, migration_policy=policy)
        client.settled("volumes", new["id"])
    anywhere = limited_type(client, backend=None, **LIMITED)
    new = client.made("volumes", size=1, volume_type="file-1")
    retyped(client, new["id"], anywhere)
    client.settled("volumes", new["id"])
    act(client, new["id"], "os-migrate_volume", {"host": "test@rbd-1#rbd-1"})
    ways["migrate"] = moved(client, new["id"])
    act(client, source["id"], "os-extend", {"new_size": 3})
    ways["extend"] = client.settled("volumes", source["id"])
    ways["revert"] = client.made("volumes", size=1, volume_type=name)
    there = client.made("snapshots", volume_id=ways["revert"]["id"])
    act(client, ways["revert"]["id"], "revert", {"snapshot_id": there["id"]})
    client.settled("volumes", ways["revert"]["id"])
    assert {way: limits(pool, image_of(show(client, one["id"]))) for way, one in ways.items()} == dict.fromkeys(ways,
                                                                                                                HAS)
    for way in ("clone", "manage", "revert"):
        retyped(client, ways[way]["id"], plain)
        assert limits(pool, image_of(ways[way])) == {}
    client("DELETE", f"/backups/{backup['id']}", expect=202)
    client.gone("backups", backup["id"])
    removed(client, *(one["id"] for one in ways.values()))
    # The type that fits everywhere has limits that one backend does not apply.
    (found,) = Doctor(service.process.db, service.conf, pause=0).examine().violations
    assert anywhere in found.text and "test@file-1 applies no QoS specs" in found.text
    (spec,) = client("GET", f"/qos-specs?name={anywhere}", expect=200)["qos_specs"]
    client("DELETE", f"/qos-specs/{spec['id']}?force=True", expect=202)
    sound(service, client)
    until(lambda: listed(pool, "trash", "ls") == [], "the trash to be purged")
    nothing_left(pool, objects=False)


def test_copies_of_a_group_have_their_limits(service, pool, client):
    name = limited_type(client, **LIMITED)
    type_ = client("GET", "/types", expect=200)["volume_types"]
    id = next(one["id"] for one in type_ if one["name"] == name)
    kind = client("POST", "/group_types", {"group_type": {"name": name}}, expect=202)["group_type"]["id"]
    group = client("POST", "/groups", {"group": {"group_type": kind, "volume_types": [id]}}, expect=202)["group"]["id"]
    until(lambda: client("GET", f"/groups/{group}", expect=200)["group"]["status"] == "available", "the group")
    member = client.made("volumes", size=1, volume_type=name, group_id=group)
    copy = client("POST", "/groups/action", {"create-from-src": {"source_group_id": group}}, expect=202)["group"]["id"]
    until(lambda: client("GET", f"/groups/{copy}", expect=200)["group"]["status"] == "available", "the copy")
    (made,) = client("GET", f"/volumes/detail?group_id={copy}", expect=200)["volumes"]
    assert limits(pool, image_of(made)) == limits(pool, image_of(member)) == HAS
    for one in (copy, group):
        client("POST", f"/groups/{one}/action", {"delete": {"delete-volumes": True}}, expect=202)
        client.gone("groups", one)


def test_a_changed_spec_and_a_changed_association_are_for_volumes_made_or_retyped_later(service, pool, client):
    name, plain = limited_type(client, **LIMITED), "rbd-1"
    (spec,) = client("GET", f"/qos-specs?name={name}", expect=200)["qos_specs"]
    type_ = next(one for one in client("GET", "/types", expect=200)["volume_types"] if one["name"] == name)
    first = client.made("volumes", size=1, volume_type=name)
    client("PUT", f"/qos-specs/{spec['id']}", {"qos_specs": {"total_iops_sec": "60"}}, expect=200)
    client("PUT", f"/qos-specs/{spec['id']}/delete_keys", {"keys": ["total_bytes_sec"]}, expect=202)
    second = client.made("volumes", size=1, volume_type=name)
    changed = {"rbd_qos_iops_limit": "60", "rbd_qos_read_iops_burst": "700"}
    assert [limits(pool, image_of(one)) for one in (first, second)] == [HAS, changed]
    for now in (plain, name):
        retyped(client, first["id"], now)
    assert limits(pool, image_of(first)) == changed
    client("GET", f"/qos-specs/{spec['id']}/disassociate?vol_type_id={type_['id']}", expect=202)
    third = client.made("volumes", size=1, volume_type=name)
    assert [limits(pool, image_of(one)) for one in (second, third)] == [changed, {}]
    retyped(client, second["id"], plain)
    assert limits(pool, image_of(second)) == {}
    removed(client, first["id"], second["id"], third["id"])


def test_a_spec_that_librbd_does_not_take_is_the_reason_and_nothing_is_left(service, pool, client):
    name = limited_type(client, total_iops_sec="plenty")
    id = client.create("volumes", size=1, volume_type=name)["id"]
    until(lambda: show(client, id)["status"] == "error", "the volume's end")
    assert "total_iops_sec = 'plenty'" in str(client.why(id))
    new = client.made("volumes", size=1, volume_type="rbd-1")
    act(client, new["id"], "os-retype", {"new_type": name})
    until(lambda: "plenty" in str(client.why(new["id"])), "the retype's end")
    assert client.settled("volumes", new["id"])["volume_type"] == "rbd-1"
    removed(client, id, new["id"])
    sound(service, client)
    nothing_left(pool, objects=False)


# -- what librbd makes of them

def bench(pool, name, total):
    return subprocess.Popen(
        ["rbd", "-c", pool.conf, "--id", ceph_module.USER, "bench", f"volumes/{name}", "--io-type", "write",
         "--io-size", "4K",
         "--io-threads", "8", "--io-pattern", "rand", "--io-total", str(total * 4096)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def rate(pool, name, total):
    """Writes per second."""
    with bench(pool, name, total) as running:
        said = running.communicate(timeout=120)[0]
    found = re.search(r"ops/sec: ([\d.]+)", said)
    assert found, said
    return float(found[1])


def test_rbd_bench_sees_a_limit_until_it_is_taken_off_also_while_it_runs(service, pool, client):
    name = limited_type(client, total_iops_sec="20")
    new = client.made("volumes", size=1, volume_type=name)
    image = image_of(new)
    # The first second's writes are let through at once.
    assert rate(pool, image, 120) <= 26
    with bench(pool, image, 20 * 3600) as running:  # an hour's at that limit
        until(lambda: listed(pool, "status", f"volumes/{image}")["watchers"], "the bench to have the image open")
        retyped(client, new["id"], "rbd-1")
        assert running.communicate(timeout=300)[0] and running.returncode == 0
    assert limits(pool, image) == {}
    removed(client, new["id"])
