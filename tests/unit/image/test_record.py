"""Parsing of image records of Glance."""

import json

import pytest

from cinder_lite.image import download
from cinder_lite.image.record import GIB, Image

DOCUMENT = {
    "id": "5a4e4a7a-de6e-41b2-8aef-6f9913a58540", "name": "small", "status": "active", "disk_format": "qcow2",
    "container_format": "bare", "size": 1000, "virtual_size": 3 * GIB, "min_disk": 2, "min_ram": 64, "checksum": "c5",
    "os_hash_algo": "sha512", "os_hash_value": "48b0", "visibility": "shared", "protected": False, "owner": "p",
    "created_at": "2026-11-25T02:24:49Z", "updated_at": "2026-11-25T02:24:49Z", "tags": [],
    "schema": "/v2/schemas/image",
    "self": "/v2/images/5a4e", "file": "/v2/images/5a4e/file", "stores": "files", "os_hidden": False,
    "os_distro": "debian", "os_glance_stage_host": "somewhere", "odd": 5}
CORE = ["checksum", "container_format", "disk_format", "image_name", "image_id", "min_disk", "min_ram", "name", "size"]


def test_a_volume_keeps_properties_and_the_core_of_the_description():
    assert Image.read(DOCUMENT).metadata(CORE) == {
        "image_id": DOCUMENT["id"], "image_name": "small", "checksum": "c5", "container_format": "bare",
        "disk_format": "qcow2", "min_disk": "2", "min_ram": "64", "size": "1000", "os_distro": "debian"}
    assert Image.read(DOCUMENT).metadata([]) == {"image_id": DOCUMENT["id"], "os_distro": "debian"}


@pytest.mark.parametrize(("size", "virtual_size", "gigabytes"), [
    (1, None, 1), (GIB, None, 1), (GIB + 1, None, 2), (1000, 3 * GIB, 3), (5 * GIB, 3 * GIB, 5), (None, None, 1)])
def test_the_size_that_a_volume_needs(size, virtual_size, gigabytes):
    assert Image(id="x", size=size, virtual_size=virtual_size).gigabytes == gigabytes


@pytest.mark.parametrize(("size", "mapping", "snapshot_id"), [
    (0, [{"snapshot_id": "s", "boot_index": 0}], "s"), (0, [{"snapshot_id": "s"}], "s"),
    (0, [{"snapshot_id": "second", "boot_index": 1}, {"snapshot_id": "first", "boot_index": "0"}], "first"),
    (0, [{"device_name": "/dev/vda"}], None), (7, [{"snapshot_id": "s", "boot_index": 0}], None), (0, {}, None),
    (0, "text", None), (0, [5], None)])
def test_an_image_that_stands_for_a_snapshot(size, mapping, snapshot_id):
    image = Image(id="x", size=size, properties={"block_device_mapping": json.dumps(mapping)})
    assert image.snapshot_id == snapshot_id
    assert Image(id="x", size=0, properties={"block_device_mapping": "{"}).snapshot_id is None


@pytest.mark.parametrize(("urls", "locations"), [
    ({}, ()), ({"direct_url": "file:///a"}, ("file:///a",)),
    ({"direct_url": "rbd://a", "locations": [{"url": "rbd://a"}, {"url": "file:///b"}]}, ("rbd://a", "file:///b"))])
def test_where_it_lies(urls, locations):
    image = Image.read({**DOCUMENT, **urls})
    assert image.locations == locations
    assert download.at_hand(image, []) == [url for url in locations if not url.startswith("file:")]
    assert download.at_hand(image, ["file"]) == list(locations)
