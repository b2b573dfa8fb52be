"""Images from volumes: bytes, properties, refusals."""

import uuid

import pytest

from cinder_lite.doctor import Doctor
from tests.functional.client import Client
from tests.functional.service import until
from tests.images import disks
from tests.images.conftest import running
from tests.images.disks import MIB
from tests.images.tap import Tap

DISK = disks.disk(24 * MIB, seed=4)
GIB = 1024**3
SERVER = "6a2f5c33-9c35-4b7b-9a2d-2f0c2f7b9c11"


@pytest.fixture(scope="module")
def source(glance):
    return glance.create(DISK, os_distro="none", hw_disk_bus="virtio")


@pytest.fixture
def volume(client, source):
    return client.made("volumes", size=1, imageRef=source, description="to be kept")


def act(client, volume, action, body, expect=202, **more):
    return client("POST", f"/volumes/{volume['id']}/action", {action: body}, expect=expect, **more)


def upload(client, volume, **body):
    """What the answer says, once the image is active."""
    said = act(client, volume, "os-volume_upload_image", {"image_name": "made of a volume",
                                                          **body})["os-volume_upload_image"]
    client.settled("volumes", volume["id"], volume["status"])
    return said


def test_a_raw_image_has_every_byte(service, client, glance, volume):
    said = upload(client, volume)
    image = glance.show(said["image_id"])
    assert {key: said[key] for key in ("id", "status", "display_description", "size", "image_name", "container_format",
                                       "disk_format", "visibility", "protected")} == {
        "id": volume["id"], "status": "uploading", "display_description": "to be kept", "size": 1,
        "image_name": "made of a volume", "container_format": "bare", "disk_format": "raw", "visibility": "private",
        "protected": False}
    assert said["volume_type"]["name"] == volume["volume_type"] and said["volume_type"]["deleted"] is False
    assert (image["status"], image["size"], image["owner"]) == ("active", GIB, client.project)
    assert (image["os_distro"], image["hw_disk_bus"]) == ("none", "virtio")
    with open(glance.file(image["id"]), "rb") as file:
        assert file.read(len(DISK)) == DISK
        assert all(not chunk.strip(b"\0") for chunk in iter(lambda: file.read(MIB), b""))
    glance.delete(image["id"])


@pytest.mark.parametrize("disk_format", ["qcow2", "vmdk", "vdi", "vhd", "vhdx"])
def test_a_volume_of_an_image_of_a_volume_is_the_same(service, client, glance, volume, disk_format):
    said = upload(client, volume, disk_format=disk_format, visibility="shared")
    image = glance.show(said["image_id"])
    assert (image["status"], image["disk_format"], image["visibility"]) == ("active", disk_format, "shared")
    assert image["size"] < 2 * len(DISK)
    # A disk of VHD is of whole cylinders and may be a little larger.
    size = 2 if disk_format == "vhd" else 1
    assert disks.begins_with(service, client.made("volumes", size=size, imageRef=image["id"]), DISK)


def test_visibility_and_protection_come_with_a_version(client, glance, volume):
    body = {"image_name": "x", "visibility": "public", "protected": True}
    act(client, volume, "os-volume_upload_image", body, 400, version="3.0")
    said = upload(client, volume, disk_format="qcow2", visibility="public", protected=True)
    assert (said["visibility"], said["protected"]) == ("public", True)
    assert (glance.show(said["image_id"])["visibility"], glance.show(said["image_id"])["protected"]) == ("public", True)


def test_a_volume_in_use_is_read_as_it_was_at_one_moment(client, glance, volume):
    attachment = client("POST", "/attachments", {"attachment": {
        "volume_uuid": volume["id"], "instance_uuid": SERVER, "connector": {"host": "h"}}}, expect=200)["attachment"]
    client("POST", f"/attachments/{attachment['id']}/action", {"os-complete": {}}, expect=204)
    refusal = act(client, volume, "os-volume_upload_image", {"image_name": "x"}, 400)["badRequest"]["message"]
    assert "its status must be available, but it is in-use" in refusal
    said = upload(client, client("GET", f"/volumes/{volume['id']}", expect=200)["volume"], force=True,
                  disk_format="qcow2")
    assert glance.show(said["image_id"])["status"] == "active"
    assert client("GET", "/snapshots", expect=200)["snapshots"] == []


def test_what_is_refused(client, glance, volume):
    images = len(glance.request("GET", "/v2/images?limit=1000").json()["images"])
    for body, says in (({"disk_format": "ploop"}, "not ploop"), ({"container_format": "nothing"}, "nothing")):
        refusal = act(client, volume, "os-volume_upload_image", {"image_name": "x", **body},
                      400)["badRequest"]["message"]
        assert says in refusal
    act(client, {"id": SERVER}, "os-volume_upload_image", {"image_name": "x"}, 404)
    client("POST", f"/volumes/{volume['id']}/action", {"os-reset_status": {"status": "error"}}, expect=202)
    refusal = act(client, volume, "os-volume_upload_image", {"image_name": "x"}, 400)["badRequest"]["message"]
    assert refusal == "Invalid volume: its status must be available, but it is error"
    assert len(glance.request("GET", "/v2/images?limit=1000").json()["images"]) == images


def test_an_upload_that_fails_leaves_no_image(glance):
    with Tap(glance.port) as tap, running(tap, "glance_num_retries = 0") as service:
        client = Client(service.url)
        volume = client.made("volumes", size=1)
        with open(disks.path(service, volume), "r+b") as file:
            file.truncate(GIB // 2)
        said = act(client, volume, "os-volume_upload_image", {"image_name": "cut"})["os-volume_upload_image"]
        client.settled("volumes", volume["id"])
        assert "ends at byte" in client.why(volume["id"])[0][2]
        assert glance.show(said["image_id"]) is None
        message = client("GET", f"/messages?resource_uuid={volume['id']}", expect=200)["messages"][0]["user_message"]
        assert message.startswith("copy volume to image: ")


# -- reimage

def reimage(client, volume, image_id, *wanted, **more):
    act(client, volume, "os-reimage", {"image_id": image_id, **more})
    return client.settled("volumes", volume["id"], *wanted)


@pytest.mark.parametrize("disk_format", ["raw", "qcow2"])
def test_an_image_is_written_over_what_was_there(service, client, glance, tmp_path, disk_format):
    volume = client.made("volumes", size=1, imageRef=glance.create(disks.full(32 * MIB), os_distro="old"))
    data = DISK if disk_format == "raw" else disks.convert(tmp_path, DISK, "qcow2")
    image = glance.create(data, disk_format=disk_format, os_type="new")
    volume = reimage(client, volume, image)
    assert disks.begins_with(service, volume, DISK)
    kept = volume["volume_image_metadata"]
    assert (kept["image_id"], kept["os_type"], kept.get("os_distro"), volume["bootable"]) == (image, "new", None,
                                                                                              "true")
    client("POST", f"/volumes/{volume['id']}/action", {"os-reset_status": {"status": "error"}}, expect=202)
    assert disks.begins_with(service, reimage(client, volume, image), DISK)


def test_a_reserved_volume_stays_reserved(service, client, source):
    volume = client.made("volumes", size=1)
    client("POST", "/attachments", {"attachment": {"volume_uuid": volume["id"], "instance_uuid": SERVER}}, expect=200)
    refusal = act(client, volume, "os-reimage", {"image_id": source}, 400)["badRequest"]["message"]
    assert "it is reserved" in refusal
    volume = reimage(client, volume, source, "reserved", reimage_reserved=True)
    assert disks.begins_with(service, volume, DISK)


def test_what_cannot_be_reimaged(client, glance, source, tmp_path):
    volume = client.made("volumes", size=1)
    act(client, volume, "os-reimage", {"image_id": source}, 404, version="3.67")
    act(client, volume, "os-reimage", {"image_id": SERVER}, 404)
    assert "needs a volume of 5 GiB" in act(client, volume, "os-reimage", {
        "image_id": glance.create(DISK[:MIB], min_disk=5)}, 400)["badRequest"]["message"]
    bad = glance.plant(disks.convert(tmp_path, DISK, "qcow2"), "raw")
    act(client, volume, "os-reimage", {"image_id": bad})
    until(lambda: client("GET", f"/volumes/{volume['id']}", expect=200)["volume"]["status"] == "error", "it to fail")
    message = client("GET", f"/messages?resource_uuid={volume['id']}", expect=200)["messages"][0]
    assert message["user_message"].startswith("reimage volume: its content is qcow2, but it is declared as raw")
    assert message["event_id"] == "VOLUME_VOLUME_016_029"


def test_a_volume_of_several_servers_is_not_reimaged(client, source):
    client("POST", "/types", {"volume_type": {"name": "shared", "extra_specs": {"multiattach": "<is> True"}}},
           expect=200)
    volume = client.made("volumes", size=1, volume_type="shared")
    made = [client("POST", "/attachments", {"attachment": {
        "volume_uuid": volume["id"], "instance_uuid": str(uuid.uuid4())}}, expect=200)["attachment"]["id"]
            for _ in range(2)]
    refusal = act(client, volume, "os-reimage", {"image_id": source, "reimage_reserved": True}, 409)
    assert "more than one attachment" in refusal["conflictingRequest"]["message"]
    for id in made:
        client("DELETE", f"/attachments/{id}", expect=200)


def test_nothing_is_off_after_all_that(service, client):
    until(lambda: all(job["status"] in ("succeeded", "failed") for job in client("GET", "/jobs", expect=200)["jobs"]),
          "the jobs to end")
    assert Doctor(service.process.db, service.conf, pause=0.1).examine().violations == []


def test_what_holds_for_the_image_of_a_volume_alone_is_not_passed_on(client, glance):
    """A signature is one of other bytes, and some names Glance keeps for itself: it would refuse the whole image."""
    signed = glance.create(DISK, os_distro="none", signature_verified="True")
    # As if a certificate had been there when it was uploaded.
    given = [{"op": "add", "path": f"/img_signature{rest}", "value": "x"}
             for rest in ("", "_hash_method", "_key_type", "_certificate_uuid")]
    answer = glance.request("PATCH", f"/v2/images/{signed}", json=given, headers={
        "Content-Type": "application/openstack-images-v2.1-json-patch"})
    assert answer.status_code == 200, answer.text
    volume = client.made("volumes", size=1, imageRef=signed)
    kept = volume["volume_image_metadata"]
    assert kept["img_signature"] == kept["img_signature_hash_method"] == "x"
    planted = dict.fromkeys(("os_glance_importing_to_stores", "os_glance_x", "os_glance", "signature_verified",
                             "deleted",
                             "deleted_at", "direct_url", "owner", "stores", "img_signature_new"), "y")
    act(client, volume, "os-set_image_metadata", {"metadata": {**planted, "kept": "yes"}}, 200)
    image = glance.show(upload(client, volume)["image_id"])
    assert (image["status"], image["os_distro"], image["kept"]) == ("active", "none", "yes")
    assert [key for key in image if key.startswith(("img_signature", "signature_verified"))] == []
    assert "y" not in image.values()
    assert client("GET", f"/volumes/{volume['id']}",
                  expect=200)["volume"]["volume_image_metadata"]["img_signature"] == "x"
