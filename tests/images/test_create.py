"""Volumes from images: bytes, metadata, and the reasons of refusals."""

import json
import os
import subprocess

import pytest

from tests.functional.client import Client
from tests.functional.service import until
from tests.images import disks
from tests.images.conftest import running
from tests.images.disks import MIB
from tests.images.tap import Tap

DISK = disks.disk(24 * MIB)


def failed(client, volume):
    """Why the volume could not be made, from its job and from the message to its user."""
    until(lambda: client("GET", f"/volumes/{volume['id']}", expect=200)["volume"]["status"] == "error",
          f"volume {volume['id']} to fail")
    reason = client.why(volume["id"])[0][2]
    messages = client("GET", f"/messages?resource_uuid={volume['id']}", expect=200)["messages"]
    assert messages[0]["user_message"] == f"create volume from backend storage: {reason}"
    return reason


def test_a_raw_image(service, client, glance):
    id = glance.create(DISK, name="raw disk", min_ram=64, os_distro="none", hw_disk_bus="virtio")
    volume = client.made("volumes", size=1, imageRef=id)
    assert disks.begins_with(service, volume, DISK)
    assert disks.free(service, volume) < len(DISK) // 3
    assert volume["bootable"] == "true"
    kept = volume["volume_image_metadata"]
    assert kept == {"image_id": id, "image_name": "raw disk", "checksum": glance.show(id)["checksum"],
                    "size": str(len(DISK)),
                    "disk_format": "raw", "container_format": "bare", "min_disk": "0", "min_ram": "64",
                    "os_distro": "none", "hw_disk_bus": "virtio"}
    listed = client("GET", "/volumes/detail?bootable=true&glance_metadata={'os_distro':'none'}", expect=200)["volumes"]
    assert [one["id"] for one in listed] == [volume["id"]]
    assert client("GET", "/volumes/detail?glance_metadata={'os_distro':'other'}", expect=200)["volumes"] == []
    job = client("GET", f"/jobs?resource_id={volume['id']}", expect=200)["jobs"][0]
    assert (job["status"], job["progress"]) == ("succeeded", 100)


@pytest.mark.parametrize(("disk_format", "options"), [
    ("qcow2", ()), ("qcow2", ("-c",)), ("vmdk", ("-o", "subformat=streamOptimized")), ("vdi", ()), ("vhd", ()),
    ("vhdx", ())])
def test_images_that_are_converted(service, client, glance, tmp_path, disk_format, options):
    id = glance.create(disks.convert(tmp_path, DISK, disk_format, *options), disk_format=disk_format)
    volume = client.made("volumes", size=1, imageRef=id)
    assert disks.begins_with(service, volume, DISK)
    assert disks.free(service, volume) < len(DISK) // 3
    assert volume["volume_image_metadata"]["disk_format"] == disk_format


def test_an_image_by_its_url(service, client, glance):
    id = glance.create(DISK[:MIB])
    volume = client.made("volumes", size=1, imageRef=f"http://images.example/v2/images/{id.upper()}")
    assert disks.begins_with(service, volume, DISK[:MIB])


def test_an_image_by_its_name(service, client, glance):
    glance.create(DISK[:MIB], name="unmistakable")
    volume = client.made("volumes", size=1, image_id="unmistakable")
    assert disks.begins_with(service, volume, DISK[:MIB])
    glance.create(DISK[:MIB], name="unmistakable")
    assert "2 images" in client("POST", "/volumes", {"volume": {"size": 1, "imageRef": "unmistakable"}},
                                expect=409)["conflictingRequest"]["message"]


def test_copies_of_an_image_volume_know_their_image(client, glance):
    volume = client.made("volumes", size=1, imageRef=glance.create(DISK[:MIB], os_type="linux"))
    snapshot = client.made("snapshots", volume_id=volume["id"])
    for source in ({"snapshot_id": snapshot["id"]}, {"source_volid": volume["id"]}):
        copy = client.made("volumes", size=1, **source)
        assert copy["volume_image_metadata"] == volume["volume_image_metadata"] and copy["bootable"] == "true"


def test_an_image_that_stands_for_a_snapshot(service, client, glance):
    snapshot = client.made("snapshots", volume_id=client.made("volumes", size=1, imageRef=glance.create(DISK))["id"])
    image = glance.create(b"", block_device_mapping=json.dumps([
        {"snapshot_id": snapshot["id"], "boot_index": 0, "source_type": "snapshot", "volume_size": 1}]))
    volume = client.made("volumes", size=1, imageRef=image)
    assert volume["snapshot_id"] == snapshot["id"] and disks.begins_with(service, volume, DISK)
    refusal = client("POST", "/volumes", {"volume": {"size": 1, "imageRef": image}}, expect=400, version="3.45")
    assert "has no data" in refusal["badRequest"]["message"]


def test_an_image_may_ask_for_a_volume_type(client, glance):
    client("POST", "/types", {"volume_type": {"name": "for images"}}, expect=200)
    image = glance.create(DISK[:MIB], cinder_img_volume_type="for images")
    assert client.made("volumes", size=1, imageRef=image)["volume_type"] == "for images"
    assert client.made("volumes", size=1, imageRef=image, volume_type="__DEFAULT__")["volume_type"] == "__DEFAULT__"
    image = glance.create(DISK[:MIB], cinder_img_volume_type="unheard of")
    client("POST", "/volumes", {"volume": {"size": 1, "imageRef": image}}, expect=404)


def test_a_file_that_is_at_hand_is_read_without_glance(glance):
    id = glance.create(DISK)
    with Tap(glance.port) as tap, running(tap, "allowed_direct_url_schemes = file") as service:
        client = Client(service.url)
        assert disks.begins_with(service, client.made("volumes", size=1, imageRef=id), DISK)
        assert tap.passed < MIB
        with open(glance.file(id), "r+b") as file:
            file.write(b"other bytes")
        assert "its sha512 hash is" in failed(client, client.create("volumes", size=1, imageRef=id))


@pytest.mark.parametrize(("options", "shared"), [("allowed_direct_url_schemes = file", True), ("", False)])
def test_a_driver_may_share_an_image_where_it_lies(glance, options, shared):
    id = glance.create(DISK, os_type="linux")
    with Tap(glance.port) as tap, running(tap, options, driver="tests.images.sharing.SharingDriver") as service:
        client = Client(service.url)
        volume = client.made("volumes", size=1, imageRef=id)
        assert os.path.samefile(disks.path(service, volume), glance.file(id)) == shared
        assert (tap.passed < MIB) == shared
        assert (volume["bootable"], volume["volume_image_metadata"]["os_type"]) == ("true", "linux")
        client("DELETE", f"/volumes/{volume['id']}", expect=202)
        client.gone("volumes", volume["id"])


def test_what_is_refused_at_once(client, glance):
    def refused(**body):
        return client("POST", "/volumes", {"volume": {"size": 1, **body}}, expect=400)["badRequest"]["message"]

    assert "could not be found" in refused(imageRef="00000000-0000-4000-8000-000000000000")
    assert "could not be found" in refused(imageRef="no such name")
    assert "it is queued" in refused(imageRef=glance.create())
    assert "smaller than the image's min_disk, 3GB" in refused(imageRef=glance.create(DISK[:MIB], min_disk=3))
    assert "disk format ploop" in refused(imageRef=glance.create(DISK[:MIB], disk_format="ploop"))
    assert "container format ova" in refused(imageRef=glance.create(DISK[:MIB], container_format="ova"))
    image = glance.create(DISK[:MIB])
    assert "size in GiB is needed" in refused(imageRef=image, size=None)
    other = client.made("volumes", size=1)
    assert "one source" in refused(imageRef=image, source_volid=other["id"])


def test_an_image_that_needs_a_larger_volume(service, client, glance, tmp_path):
    qcow2 = tmp_path / "large.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", qcow2, "3G"], check=True)
    id = glance.create(qcow2.read_bytes(), disk_format="qcow2")
    refusal = client("POST", "/volumes", {"volume": {"size": 2, "imageRef": id}}, expect=400)["badRequest"]["message"]
    assert "cannot be smaller than the image size 3GB" in refusal
    assert disks.begins_with(service, client.made("volumes", size=3, imageRef=id), b"")


def bad_images(directory):
    """{what: (bytes, disk format, the reason that must be shown)}"""
    base, child, outside = directory / "base.qcow2", directory / "child.qcow2", directory / "outside.qcow2"
    run = lambda *argv: subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *argv], check=True)  # noqa: E731
    run(base, "1M")
    run("-b", base, "-F", "qcow2", child)
    run("-o", f"data_file={directory / 'data'},data_file_raw=on", outside, "1M")
    flat = directory / "flat.vmdk"
    subprocess.run(["qemu-img", "create", "-q", "-f", "vmdk", "-o", "subformat=monolithicFlat", flat, "1M"], check=True)
    whole = disks.convert(directory, DISK[:MIB], "qcow2")
    return {
        "backing file": (child.read_bytes(), "qcow2", "backing file"),
        "data file": (outside.read_bytes(), "qcow2", "data file"),
        "flat vmdk": (flat.read_bytes(), "vmdk", "Unsupported subformat"),
        "qcow2 declared as raw": (whole, "raw", "its content is qcow2, but it is declared as raw"),
        "raw declared as qcow2": (DISK[:MIB], "qcow2", "its content is raw, but it is declared as qcow2"),
        "cut off": (whole[:300_000], "qcow2", "qemu-img finds it damaged"),
    }


@pytest.mark.parametrize("what", ["backing file", "data file", "flat vmdk", "qcow2 declared as raw",
                                  "raw declared as qcow2", "cut off"])
def test_bad_images(service, client, glance, tmp_path, what):
    data, disk_format, reason = bad_images(tmp_path)[what]
    volume = client.create("volumes", size=1, imageRef=glance.plant(data, disk_format))
    assert reason in failed(client, volume)
    client("DELETE", f"/volumes/{volume['id']}", expect=202)
    client.gone("volumes", volume["id"])


def test_an_image_that_was_damaged_in_the_store(client, glance):
    id = glance.create(DISK)
    with open(glance.file(id), "r+b") as file:
        file.seek(len(DISK) // 2)
        file.write(b"other bytes")
    reason = failed(client, client.create("volumes", size=1, imageRef=id))
    assert "its sha512 hash is" in reason and glance.show(id)["os_hash_value"] in reason


def test_an_image_whose_data_ends_early(client, glance):
    id = glance.create(DISK[:MIB])
    with open(glance.file(id), "r+b") as file:
        file.truncate(MIB // 2)
    reason = failed(client, client.create("volumes", size=1, imageRef=id))
    assert str(MIB // 2) in reason
