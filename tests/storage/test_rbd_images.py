"""Images in an RBD backend, whose volumes have no path: raw and converted images, reimage, upload."""

import random

import pytest

from cinder_lite.blockio import device
from tests.functional.client import Client
from tests.functional.service import Service
from tests.functional.test_administrators import sound
from tests.images import disks
from tests.images.disks import MIB
from tests.images.images_service import Glance
from tests.storage import rbd
from tests.storage.test_rbd_driver import listed
from tests.storage.test_rbd_service import RBD, ceph_module, where

GIB = 1024**3
DISK = disks.disk(48 * MIB, seed=8)


@pytest.fixture(scope="module")
def glance():
    with Glance() as running:
        yield running


@pytest.fixture(scope="module")
def service(ceph, glance):
    rbd.emptied(ceph)
    options = (f"glance_api_servers = {glance.url}\njob_sweep_interval = 1\nenable_force_upload = true\n"
               "cinder_internal_tenant_project_id = keeper\ncinder_internal_tenant_user_id = keeper")
    section = RBD.format(ceph=ceph, user=ceph_module.USER, patience=60) + "image_volume_cache_enabled = true\n"
    with Service(backends=("rbd-1",), sections={"rbd-1": section}, default=options, target=False) as running:
        yield running


@pytest.fixture
def client(service):
    return Client(service.url, project=f"p{random.randrange(10**9)}")


def holds(service, ceph, volume, data):
    """Whether the volume holds `data`, and behind it nothing but zeros."""
    with device.source(where(service, ceph, volume)) as source:
        rest = (source.read(start, end - start) for start, end in source.extents(len(data), volume["size"] * GIB))
        return source.read(0, len(data)) == data and not any(part.strip(b"\0") for part in rest)


def act(client, volume, action, body):
    said = client("POST", f"/volumes/{volume['id']}/action", {action: body}, expect=202)
    return said, client.settled("volumes", volume["id"])


@pytest.mark.parametrize("disk_format", ["raw", "qcow2"])
def test_there_and_back(service, client, ceph, glance, tmp_path, disk_format):
    data = DISK if disk_format == "raw" else disks.convert(tmp_path, DISK, disk_format)
    image = glance.create(data, disk_format=disk_format)
    volume = client.made("volumes", size=1, imageRef=image)
    assert holds(service, ceph, volume, DISK)
    other = disks.full(32 * MIB)
    replaced = glance.create(other if disk_format == "raw" else disks.convert(tmp_path, other, disk_format),
                             disk_format=disk_format)
    _, volume = act(client, volume, "os-reimage", {"image_id": replaced})
    assert holds(service, ceph, volume, other)
    said, _ = act(client, volume, "os-volume_upload_image", {"image_name": "back", "disk_format": "qcow2"})
    copy = client.made("volumes", size=1, imageRef=said["os-volume_upload_image"]["image_id"])
    assert holds(service, ceph, copy, other)
    again = client.made("volumes", size=2, imageRef=image)
    assert holds(service, ceph, again, DISK)
    # Of the cache's volume, and not sent once more.
    assert listed(ceph, "info", f"volume-{again['id']}")["parent"]["image"].startswith("volume-")
    sound(service, client)
