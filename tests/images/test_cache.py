"""The image cache: one download for many volumes, eviction of the least recently used."""

import os

import pytest

from cinder_lite.doctor import Doctor
from tests.functional.client import Client
from tests.functional.service import until
from tests.images import disks
from tests.images.conftest import running
from tests.images.disks import MIB
from tests.images.tap import Tap

INTERNAL = "c0000000000000000000000000000001"
OPTIONS = f"cinder_internal_tenant_project_id = {INTERNAL}\ncinder_internal_tenant_user_id = keeper"
DISK = disks.disk(16 * MIB, seed=6)


@pytest.fixture
def tap(glance):
    with Tap(glance.port) as between:
        yield between


@pytest.fixture
def service(tap, request):
    with running(tap, OPTIONS, "image_volume_cache_enabled = true\n" + getattr(request, "param", "")) as started:
        yield started


@pytest.fixture
def client(service):
    return Client(service.url)


@pytest.fixture
def keeper(service):
    """A client of the project that owns the cache."""
    return Client(service.url, project=INTERNAL)


def cached(keeper):
    """The ids of the images that are cached."""
    rows = keeper("GET", "/volumes/detail", expect=200)["volumes"]
    return {row["volume_image_metadata"]["image_id"] for row in rows if row["status"] == "available"}


def sound(service, client):
    until(lambda: all(job["status"] in ("succeeded", "failed")
                      for job in client("GET", "/jobs?all_tenants=1", expect=200)["jobs"]),
          "the jobs to end")
    assert Doctor(service.process.db, service.conf, pause=0.1).examine().violations == []


def test_the_second_volume_is_a_clone(service, client, keeper, glance, tap):
    image = glance.create(DISK, os_type="linux")
    first = client.made("volumes", size=1, imageRef=image)
    assert cached(keeper) == {image}
    passed = tap.passed
    glance.request("PATCH", f"/v2/images/{image}", json=[{"op": "replace", "path": "/os_type", "value": "other"}],
                   headers={
        "Content-Type": "application/openstack-images-v2.1-json-patch"})
    second = client.made("volumes", size=2, imageRef=image)
    assert tap.passed - passed < MIB
    for volume, os_type in ((first, "linux"), (second, "other")):
        assert disks.begins_with(service, volume, DISK)
        assert (volume["bootable"], volume["volume_image_metadata"]["os_type"]) == ("true", os_type)
    usage = client("GET", f"/os-quota-sets/{client.project}?usage=True", expect=200)["quota_set"]
    assert (usage["volumes"]["in_use"], usage["gigabytes"]["in_use"]) == (2, 3)
    entry = keeper("GET", "/volumes/detail", expect=200)["volumes"][0]
    assert (entry["size"], entry["consumes_quota"], entry["name"]) == (1, False, f"image-{image}")
    sound(service, client)


def test_many_volumes_at_once_need_one_download(service, client, keeper, glance, tap):
    image = glance.create(DISK)
    made = [client.create("volumes", size=1, imageRef=image) for _ in range(8)]
    for volume in made:
        assert disks.begins_with(service, client.settled("volumes", volume["id"]), DISK)
    assert tap.passed < len(DISK) + 2 * MIB
    assert cached(keeper) == {image}
    sound(service, client)


@pytest.mark.parametrize("service", ["image_volume_cache_max_count = 2", "image_volume_cache_max_size_gb = 2"],
                         indirect=True)
def test_what_was_used_longest_ago_goes_first(service, client, keeper, glance):
    images = [glance.create(DISK[:MIB] + bytes([n])) for n in range(3)]
    for image in (images[0], images[1], images[0], images[2]):
        client.made("volumes", size=1, imageRef=image)
    until(lambda: cached(keeper) == {images[0], images[2]}, "the entry in the middle to go")
    sound(service, client)


@pytest.mark.parametrize("service", ["image_volume_cache_max_size_gb = 1"], indirect=True)
def test_an_image_that_is_larger_than_the_cache_is_not_cached(service, client, keeper, glance, tmp_path):
    image = glance.create(disks.convert(tmp_path, bytes(1500 * MIB), "qcow2"), disk_format="qcow2")
    client.made("volumes", size=2, imageRef=image)
    assert cached(keeper) == set()
    sound(service, client)


def test_a_bad_image_fails_for_who_asked_and_is_not_kept(service, client, keeper, glance):
    image = glance.create(DISK)
    with open(glance.file(image), "r+b") as file:
        file.write(b"other bytes")
    volume = client.create("volumes", size=1, imageRef=image)
    until(lambda: client("GET", f"/volumes/{volume['id']}", expect=200)["volume"]["status"] == "error", "it to fail")
    assert "its sha512 hash is" in client.why(volume["id"])[0][2]
    until(lambda: keeper("GET", "/volumes", expect=200)["volumes"] == [], "the entry to be gone")
    sound(service, client)


def test_what_was_half_downloaded_is_not_taken_for_a_clone(service, client, keeper, glance, tap):
    image = glance.create(DISK)
    client.made("volumes", size=1, imageRef=image)
    passed = tap.passed
    glance.request("GET", f"/v2/images/{image}", url=tap.url)
    # The API learns of the image, and the volume service does not yet.
    tap.close_after(tap.passed - passed)
    volume = client.create("volumes", size=1, imageRef=image)
    until(lambda: tap.closed, "the API to have asked")
    with open(disks.path(service, volume), "wb") as file:
        file.write(DISK[:MIB])
        file.truncate(1024**3)
    tap.open()
    assert disks.begins_with(service, client.settled("volumes", volume["id"]), DISK)
    sound(service, client)


def test_an_entry_that_is_lost_on_the_backend_is_no_harm(service, client, keeper, glance):
    image = glance.create(DISK)
    client.made("volumes", size=1, imageRef=image)
    entry = keeper("GET", "/volumes", expect=200)["volumes"][0]
    os.unlink(disks.path(service, entry))
    assert disks.begins_with(service, client.made("volumes", size=1, imageRef=image), DISK)
    keeper.gone("volumes", entry["id"])
    client.made("volumes", size=1, imageRef=image)
    assert cached(keeper) == {image}
    sound(service, client)


def test_an_image_that_was_deleted_is_not_given_out_of_the_cache(service, client, keeper, glance):
    image = glance.create(DISK)
    client.made("volumes", size=1, imageRef=image)
    glance.delete(image)
    refusal = client("POST", "/volumes", {"volume": {"size": 1, "imageRef": image}},
                     expect=400)["badRequest"]["message"]
    assert "could not be found" in refusal
