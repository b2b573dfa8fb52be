"""The backup store in a Ceph pool: the tests of all stores, and a service with the settings of Cinder."""

import random
import types

import pytest

from cinder_lite.backup.stores import base
from cinder_lite.backup.stores import ceph as ceph_store
from tests.functional.service import Service
from tests.functional.test_administrators import sound
from tests.storage import ceph as ceph_module
from tests.storage import rbd
from tests.storage.real_cinder import CEPH, PROJECT, Project

# Every store's tests, with this one.
from tests.unit.backup.test_stores import (  # noqa: F401
    test_a_failed_put_keeps_the_former_object,
    test_a_folder_is_listed_and_removed_alone,
    test_a_missing_object_is_reported,
    test_an_empty_object_is_an_object,
    test_an_object_is_read_completely_and_in_ranges,
    test_delete_may_be_repeated,
    test_put_replaces,
)

POOL = "backups"
MIB = 1024**2
DATA = random.Random(8).randbytes(3 * MIB)


@pytest.fixture
def options(ceph):
    """How the store is told of an empty pool."""
    rbd.emptied(ceph, POOL)
    return types.SimpleNamespace(backup_ceph_conf=ceph.conf, backup_ceph_user=ceph_module.USER, backup_ceph_pool=POOL)


@pytest.fixture
def store(options):
    return ceph_store.CephStore(options)


def objects(ceph):
    """What is in the store's namespace, but for the list of lists."""
    return set(ceph.run("rados", "--pool", POOL, "--namespace", "cinder-lite", "ls").split()) - {".lists"}


def test_check_passes_and_leaves_nothing(store, ceph):
    store.check()
    store.check()
    assert objects(ceph) == set()


def test_check_says_what_is_wrong(options):
    options.backup_ceph_pool = "nowhere"
    with pytest.raises(base.StoreError, match=r"nowhere \(backup_ceph_pool\)"):
        ceph_store.CephStore(options).check()


def test_lists_have_as_many_as_there_are(store, ceph):
    names = {f"c/backup_1/{number:04}" for number in range(1001)}
    for name in names:
        store.put(name, (b"x",))
    assert set(store.names("c/backup_1")) == set(store.names("c")) == names
    store.delete_folder("c/backup_1")
    assert objects(ceph) == set()


def test_an_object_of_the_largest_size_is_taken(store):
    store.put("c/a/1", (DATA[:MIB],) * (store.largest // MIB))
    assert store.size("c/a/1") == store.largest and store.get("c/a/1", store.largest - 5) == DATA[MIB - 5:MIB]


def test_a_service_with_cinders_settings_keeps_backups_in_ceph(ceph, options):
    with Service(default=(
            f"job_sweep_interval = 1\nbackup_driver = {CEPH}\nbackup_ceph_conf = {ceph.conf}\nbackup_ceph_user = "
            f"cinder\n"
            "backup_ceph_pool = backups\nbackup_file_size = 1999994880")) as service:
        a = Project(service.url, PROJECT)
        volume = a.made("volumes", size=1)
        write(service, volume, 100 * MIB, DATA)
        full = a.made("backups", volume_id=volume["id"])
        write(service, volume, 900 * MIB, DATA[::-1])
        second = a.made("backups", volume_id=volume["id"], incremental=True)
        assert full["container"] == POOL
        for backup, later in ((full, bytes(len(DATA))), (second, DATA[::-1])):
            new = a.made("volumes", size=1, backup_id=backup["id"])
            with open(path(service, new), "rb") as file:
                assert [file.seek(at) and file.read(len(DATA)) for at in (100 * MIB, 900 * MIB)] == [DATA, later]
        sound(service, a)
        a.gone("backups", second["id"])
        a.gone("backups", full["id"])
        assert objects(ceph) == set()


def path(service, volume):
    return f"{service.state}/volumes/volume-{volume['id']}"


def write(service, volume, at, data):
    with open(path(service, volume), "r+b") as file:
        file.seek(at)
        file.write(data)
