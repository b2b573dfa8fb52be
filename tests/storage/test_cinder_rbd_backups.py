"""Backups of Cinder in Ceph in the formats of its releases: detection, restore, removal."""

import collections
import json
import random
import types
import uuid

import pytest

from cinder_lite.backup import cinder, manifest
from cinder_lite.backup.cinder import rbd as cinder_rbd
from cinder_lite.backup.stores import base as stores
from cinder_lite.blockio import device
from cinder_lite.volume.drivers.rbd import content as rbd_content
from cinder_lite.volume.drivers.rbd.supervisor import Cluster
from tests.storage import ceph as ceph_module
from tests.storage import rbd

GIB, MIB = 1024**3, 1024**2
POOL = "backups"
DATA = [random.Random(number).randbytes(MIB + 512) for number in range(3)]
AT = 100 * MIB + 4096
NONE = str(uuid.uuid4())
Row = collections.namedtuple("Row", "id volume_id snapshot_id size container facts")


@pytest.fixture
def images(ceph):
    """What reads and removes them, in an empty pool."""
    rbd.emptied(ceph, POOL)
    return cinder_rbd.Images(types.SimpleNamespace(backup_ceph_conf=ceph.conf, backup_ceph_user=ceph_module.USER))


def row(volume, metadata=None, parents=None, snapshot_id=None):
    found = cinder.facts({"service": "cinder.backup.drivers.ceph.CephBackupDriver", "service_metadata": metadata},
                          parents and {"service_metadata": parents})
    return Row(str(uuid.uuid4()), volume, snapshot_id, 1, POOL, found)


def run(ceph, *words):
    return ceph.run("rbd", "--pool", POOL, *words)


def names(ceph):
    return sorted(json.loads(run(ceph, "ls", "--format", "json")))


def make(ceph, image, backups):
    """An image in which each of `backups`, rows and None for a copy without a snapshot, has other data."""
    run(ceph, "create", "--size", "1G", image)
    cluster = Cluster(ceph.conf, "ceph", ceph_module.USER, POOL, 60, 60)
    for one, data in zip(backups, DATA, strict=False):
        with device.target(rbd_content.data(cluster, image)) as target:
            target.write(AT, data)
            target.sync()
        if one is not None:
            run(ceph, "snap", "create", f"{image}@backup.{one.id}.snap.1700000000.{len(data)}")


def restored(images, one, path, start=0, cancelled=lambda: False):
    """What a volume has at the place of the data, that was full of other bytes at its begin and end; the progress."""
    with open(path, "wb") as file:
        file.write(b"old" * 1000)
        file.seek(GIB + MIB)
        file.write(b"old")
    reported = []
    images.restore([one], {"path": str(path)}, target_is_zero=False, start=start,
                   progress=lambda done, whole: reported.append(done), cancelled=cancelled)
    with open(path, "rb") as file:
        head = file.read(3000)
        file.seek(AT)
        data = file.read(len(DATA[0]))
        file.seek(GIB)
        # What goes on finds it zeroed.
        assert start or not (file.read() + head).strip(b"\0")
    assert reported[-1] == GIB
    return data


def test_those_of_long_ago_share_one_image(ceph, images, tmp_path):
    volume = str(uuid.uuid4())
    rows = [row(volume) for _ in DATA]
    image = f"volume-{volume}.backup.base"
    make(ceph, image, rows)
    assert [restored(images, one, tmp_path / "v") for one in rows] == DATA
    images.delete(rows[1])
    images.delete(rows[1])
    assert not images.exists(rows[1]) and images.exists(rows[0])
    assert restored(images, rows[0], tmp_path / "v") == DATA[0] and restored(images, rows[2], tmp_path / "v") == DATA[2]
    images.delete(rows[2])
    assert names(ceph) == [image]
    images.delete(rows[0])
    assert names(ceph) == []


def test_incremental_ones_are_in_the_image_that_they_or_their_parents_name(ceph, images, tmp_path):
    volume = str(uuid.uuid4())
    full = row(volume)
    image = f"volume-{volume}.backup.{full.id}"
    noted = json.dumps({"base": image})
    rows = [full._replace(facts={**full.facts, "base": image}), row(volume, noted), row(volume, parents=noted)]
    make(ceph, image, rows)
    assert [restored(images, one, tmp_path / "v") for one in rows] == DATA
    for one in reversed(rows):
        assert names(ceph) == [image]
        images.delete(one)
    assert names(ceph) == []


def test_a_copy_of_another_volume_has_no_snapshot(ceph, images, tmp_path):
    copy = row(str(uuid.uuid4()))
    make(ceph, f"volume-{copy.volume_id}.backup.{copy.id}", [None])
    assert images.exists(copy) and restored(images, copy, tmp_path / "v") == DATA[0]
    assert images.record(copy) == {"name": None, "description": None, "metadata": {}, "image_metadata": {},
                                   "bootable": False}
    images.delete(copy)
    assert names(ceph) == []


def test_a_removal_that_was_cut_off_ends_and_takes_nothing_of_others(ceph, images):
    volume = str(uuid.uuid4())
    full = row(volume)
    image, shared = f"volume-{volume}.backup.{full.id}", f"volume-{volume}.backup.base"
    full = full._replace(facts={**full.facts, "base": image})
    make(ceph, image, [None])  # its snapshot has gone already
    make(ceph, shared, [None])  # the copy of a snapshot
    images.delete(full)
    assert names(ceph) == [shared]
    images.delete(full)
    images.delete(row(volume))
    images.delete(row(volume, snapshot_id=NONE))  # nothing says that it is this one's
    assert names(ceph) == [shared]


def test_what_is_gone_is_named_and_what_is_cancelled_goes_on(ceph, images, tmp_path):
    copy = row(str(uuid.uuid4()))
    with pytest.raises(stores.ObjectMissing, match=copy.id):
        restored(images, copy, tmp_path / "v")
    make(ceph, f"volume-{copy.volume_id}.backup.{copy.id}", [None])
    with pytest.raises(manifest.Cancelled):
        restored(images, copy, tmp_path / "v", cancelled=lambda: True)
    assert restored(images, copy, tmp_path / "v", start=AT + 4096)[4096:] == DATA[0][4096:]


def test_a_cluster_that_cannot_be_reached_is_named(tmp_path):
    unreachable = cinder_rbd.Images(types.SimpleNamespace(backup_ceph_conf=str(tmp_path / "ceph.conf"),
                                                          backup_ceph_user="x"))
    with pytest.raises(stores.StoreError, match=r"ceph\.conf"):
        unreachable.exists(row(NONE))
