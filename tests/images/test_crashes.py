"""Downloads interrupted by Glance, the network or the end of the service are resumed or fail with a reason."""

import contextlib
import os
import re
import signal
import sqlite3

import pytest

from cinder_lite.doctor import Doctor
from tests.functional.client import Client
from tests.functional.killable import Killable
from tests.functional.service import until
from tests.images import disks
from tests.images.conftest import running
from tests.images.disks import MIB
from tests.images.tap import Tap

DISK = disks.disk(96 * MIB, seed=2)
#: What Glance says beside the data.
TALK = MIB


@pytest.fixture
def tap(glance):
    with Tap(glance.port) as between:
        yield between


@pytest.fixture
def service(glance, tap):
    with running(tap, "glance_num_retries = 8") as started:
        yield started


@pytest.fixture
def client(service):
    return Client(service.url)


@pytest.fixture(scope="module")
def images(glance, tmp_path_factory):
    """{disk format: id of an image of DISK}"""
    directory = tmp_path_factory.mktemp("images")
    return {"raw": glance.create(DISK), "qcow2": glance.create(disks.convert(directory, DISK, "qcow2"),
                                                               disk_format="qcow2")}


def size(glance, id):
    return glance.show(id)["size"]


def begun(client, tap, id, after):
    """A volume whose download stands still after so many bytes."""
    tap.close_after(after)
    volume = client.create("volumes", size=1, imageRef=id)
    until(lambda: tap.closed, "the download to begin")
    return volume


def left(service):
    """What is left in the directories of volumes and conversions."""
    return [name for place in ("volumes", "conversion") if os.path.isdir(os.path.join(service.state, place))
            for name in os.listdir(os.path.join(service.state, place))]


@pytest.mark.parametrize("disk_format", ["raw", "qcow2"])
def test_glance_is_killed_and_comes_back(service, client, glance, tap, images, disk_format):
    volume = begun(client, tap, images[disk_format], 6 * MIB)
    glance.kill()
    tap.open()
    glance.start()
    volume = client.settled("volumes", volume["id"])
    assert disks.begins_with(service, volume, DISK)
    assert tap.passed < size(glance, images[disk_format]) + 8 * MIB
    assert left(service) == [f"volume-{volume['id']}"]


def test_the_connection_breaks_again_and_again(service, client, glance, tap, images):
    volume = begun(client, tap, images["raw"], 2 * MIB)
    for _ in range(8):
        tap.cut()
        tap.close_after(9 * MIB)
        until(lambda: tap.closed, "the download to go on")
    tap.open()
    assert disks.begins_with(service, client.settled("volumes", volume["id"]), DISK)
    assert tap.passed < len(DISK) + 9 * 2 * MIB


def test_glance_does_not_come_back(glance, tap, images):
    with running(tap, "glance_num_retries = 1") as service:
        client = Client(service.url)
        volume = begun(client, tap, images["raw"], 6 * MIB)
        glance.kill()
        try:
            tap.open()
            until(lambda: client("GET", f"/volumes/{volume['id']}", expect=200)["volume"]["status"] == "error",
                  "the end")
            assert "The image service cannot be used: the download of image" in client.why(volume["id"])[0][2]
            assert left(service) == []
            refusal = client("POST", "/volumes", {"volume": {"size": 1, "imageRef": images["raw"]}}, expect=503)
            assert "The image service cannot be used" in refusal["serviceUnavailable"]["message"]
        finally:
            glance.start()


def test_the_image_is_deleted_meanwhile(service, client, glance, tap):
    id = glance.create(DISK)
    volume = begun(client, tap, id, 6 * MIB)
    glance.delete(id)
    tap.cut()
    tap.open()
    until(lambda: client("GET", f"/volumes/{volume['id']}", expect=200)["volume"]["status"] == "error", "the end")
    assert client.why(volume["id"])[0][2] == f"image {id} was deleted while a volume was created from it"
    assert left(service) == []


@pytest.mark.parametrize("disk_format", ["raw", "qcow2"])
def test_the_volume_is_deleted_meanwhile(service, client, glance, tap, images, disk_format):
    volume = begun(client, tap, images[disk_format], 6 * MIB)
    client("POST", f"/volumes/{volume['id']}/action", {"os-force_delete": {}}, expect=202)
    tap.open()
    client.gone("volumes", volume["id"])
    until(lambda: left(service) == [], "the files to be gone")
    assert Doctor(service.process.db, service.conf, pause=0.1).examine().violations == []


def test_a_volume_whose_job_was_lost_is_still_made_of_its_image(service, client, glance, tap, images):
    volume = begun(client, tap, images["raw"], 6 * MIB)
    service.stop()
    service.services = []
    with contextlib.closing(sqlite3.connect(f"{service.state}/cinder.sqlite")) as database, database:
        database.execute("DELETE FROM jobs")
    tap.cut()
    tap.open()
    service.start()
    report = Doctor(service.process.db, service.conf, pause=0.1).repair()
    assert any(re.match(f"started job .* to create volume {volume['id']}", text) for _, text in report.repaired)
    assert disks.begins_with(service, client.settled("volumes", volume["id"]), DISK)


def killable(tap):
    """The service in a process of its own."""
    return Killable(running(tap, "glance_num_retries = 8\njob_lease = 3\ngraceful_timeout = 5"))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize(("disk_format", "percent"), [("raw", 75), ("qcow2", 38)])
def test_the_service_ends_in_the_middle(glance, tap, images, tmp_path, disk_format, percent, how):
    whole = glance.create(DISK if disk_format == "raw" else disks.convert(
        tmp_path, disks.full(96 * MIB), "qcow2"), disk_format=disk_format)
    with killable(tap) as service:
        client = service.client
        volume = begun(client, tap, whole, 80 * MIB)
        until(lambda: client("GET", f"/jobs?resource_id={volume['id']}", expect=200)["jobs"][0]["progress"] >= percent,
              "the progress to be recorded")
        service.process.send(how)
        service.process.wait_end()
        tap.cut()
        tap.open()
        service.start()
        volume = client.settled("volumes", volume["id"])
        assert disks.begins_with(service, volume, DISK if disk_format == "raw" else disks.full(96 * MIB))
        # What had arrived when it was made durable did not come twice.
        assert tap.passed < size(glance, whole) + 30 * MIB
        assert left(service) == [f"volume-{volume['id']}"]
    glance.delete(whole)


def test_the_service_is_killed_in_an_upload(glance):
    with Tap(glance.port, requests=True) as tap, killable(tap) as service:
        client = service.client
        volume = client.made("volumes", size=1)
        with open(disks.path(service, volume), "r+b") as file:
            file.write(DISK)
        tap.close_after(5 * MIB)
        said = client("POST", f"/volumes/{volume['id']}/action", {"os-volume_upload_image": {
            "image_name": "cut off", "disk_format": "qcow2"}}, expect=202)["os-volume_upload_image"]
        until(lambda: tap.closed, "the upload to begin")
        service.process.kill()
        tap.cut()
        tap.open()
        until(lambda: glance.show(said["image_id"])["status"] == "queued", "Glance to notice")
        service.start()
        client.settled("volumes", volume["id"])
        image = glance.show(said["image_id"])
        assert (image["status"], image["virtual_size"]) == ("active", 1024**3)
        copy = client.made("volumes", size=1, imageRef=image["id"])
        assert disks.begins_with(service, copy, DISK)
        assert sorted(left(service)) == sorted(f"volume-{one['id']}" for one in (volume, copy))
        glance.delete(image["id"])
