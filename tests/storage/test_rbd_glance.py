"""Images of a real Glance in the same Ceph: cloned in place, or copied if that is not possible."""

import pytest

from tests.functional.client import Client
from tests.functional.service import Service, until
from tests.functional.test_administrators import sound
from tests.images import disks
from tests.images.disks import MIB
from tests.images.images_service import Glance
from tests.images.tap import Tap
from tests.storage import rbd
from tests.storage.test_rbd_driver import listed, nothing_left
from tests.storage.test_rbd_images import act, holds
from tests.storage.test_rbd_qos import HAS, LIMITED, image_of, limited_type, limits
from tests.storage.test_rbd_service import RBD, ceph_module

DISK = disks.disk(48 * MIB, seed=9)
STORE = """
rbd_store_pool = images
rbd_store_user = {user}
rbd_store_ceph_conf = {ceph.conf}
"""


@pytest.fixture(scope="module")
def glance(ceph, tmp_path_factory):
    libraries = rbd.libraries(tmp_path_factory.mktemp("libraries"))
    with Glance("rbd", STORE.format(ceph=ceph, user=ceph_module.USER), libraries) as running:
        yield running


@pytest.fixture(scope="module")
def tap(glance):
    with Tap(glance.port) as between:
        yield between


@pytest.fixture(scope="module")
def service(ceph, tap):
    rbd.emptied(ceph)
    section = RBD.format(ceph=ceph, user=ceph_module.USER, patience=60)
    with Service(backends=("rbd-1",), sections={"rbd-1": section}, target=False,
                 default=f"glance_api_servers = {tap.url}\njob_sweep_interval = 1") as running:
        yield running


@pytest.fixture
def client(service):
    return Client(service.url)


def remove(client, *volumes):
    for volume in volumes:
        client("DELETE", f"/volumes/{volume['id']}", expect=202)
        client.gone("volumes", volume["id"])


def test_a_raw_image_is_cloned_and_not_sent(service, client, ceph, glance, tap):
    image, before = glance.create(DISK, os_type="linux"), tap.passed
    volume = client.made("volumes", size=2, imageRef=image)
    assert tap.passed - before < MIB
    parent = listed(ceph, "info", f"volume-{volume['id']}")["parent"]
    assert (parent["pool"], parent["image"], parent["snapshot"]) == ("images", image, "snap")
    assert holds(service, ceph, volume, DISK)
    assert (volume["bootable"], volume["volume_image_metadata"]["os_type"]) == ("true", "linux")
    clone = client.made("volumes", size=2, source_volid=volume["id"])
    remove(client, volume)
    assert holds(service, ceph, clone, DISK)
    remove(client, clone)
    glance.delete(image)
    sound(service, client)
    nothing_left(ceph)


def test_an_image_that_has_to_be_converted_is_copied(service, client, ceph, glance, tmp_path):
    image = glance.create(disks.convert(tmp_path, DISK, "qcow2"), disk_format="qcow2")
    volume = client.made("volumes", size=1, imageRef=image)
    assert "parent" not in listed(ceph, "info", f"volume-{volume['id']}")
    assert holds(service, ceph, volume, DISK)
    remove(client, volume)
    glance.delete(image)
    nothing_left(ceph)


def test_an_image_made_of_a_volume_is_cloned_in_turn(service, client, ceph, glance, tap):
    volume = client.made("volumes", size=1, imageRef=glance.create(DISK))
    said, volume = act(client, volume, "os-volume_upload_image", {"image_name": "again", "disk_format": "raw"})
    image, before = said["os-volume_upload_image"]["image_id"], tap.passed
    again = client.made("volumes", size=1, imageRef=image)
    assert tap.passed - before < MIB
    assert listed(ceph, "info", f"volume-{again['id']}")["parent"]["image"] == image
    assert holds(service, ceph, again, DISK)
    remove(client, volume, again)
    sound(service, client)
    nothing_left(ceph)


def test_a_volume_of_an_image_has_the_limits_of_its_type(service, client, ceph, glance, tmp_path):
    images = [glance.create(DISK), glance.create(disks.convert(tmp_path, DISK, "qcow2"), disk_format="qcow2")]
    name = limited_type(client, **LIMITED)
    made = [client.made("volumes", size=1, imageRef=image, volume_type=name) for image in images]
    assert [limits(ceph, image_of(one)) for one in made] == [HAS, HAS]
    assert [holds(service, ceph, one, DISK) for one in made] == [True, True]
    assert ["parent" in listed(ceph, "info", image_of(one)) for one in made] == [True, False]
    wrong = client.create("volumes", size=1, imageRef=images[1],
                          volume_type=limited_type(client, total_iops_sec="x"))["id"]
    until(lambda: client("GET", f"/volumes/{wrong}", expect=200)["volume"]["status"] == "error", "the volume's end")
    remove(client, *made, {"id": wrong})
    for image in images:
        glance.delete(image)
    sound(service, client)
    nothing_left(ceph)
