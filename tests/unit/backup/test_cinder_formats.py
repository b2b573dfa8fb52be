"""Which backups of Cinder are importable, by the driver names of its releases."""

import types

import pytest

from cinder_lite.backup import cinder

DRIVERS = "cinder.backup.drivers."


def row(service, metadata=None):
    return {"service": service, "service_metadata": metadata}


@pytest.mark.parametrize("name", ["posix", "posix.PosixBackupDriver", "nfs", "nfs.NFSBackupDriver"])
def test_chunks_are_found_by_their_prefix(name):
    assert cinder.refusal(DRIVERS + name) is None
    assert cinder.facts(row(DRIVERS + name, "volume_v/x"), None) == {"format": "cinder-chunks",
                                                                     "service_metadata": "volume_v/x"}
    assert cinder.facts(row(DRIVERS + name), None)["service_metadata"] == ""


@pytest.mark.parametrize("name", ["ceph", "ceph.CephBackupDriver"])
def test_images_are_named_by_the_backup_or_its_parent(name):
    own, parents = '{"base": "volume-v.backup.b"}', row(DRIVERS + name, '{"base": "volume-v.backup.a"}')
    assert cinder.refusal(DRIVERS + name) is None
    assert cinder.facts(row(DRIVERS + name, own), parents)["base"] == "volume-v.backup.b"
    assert cinder.facts(row(DRIVERS + name), parents)["base"] == "volume-v.backup.a"
    assert cinder.facts(row(DRIVERS + name), None) == {"format": "cinder-rbd", "base": None}


@pytest.mark.parametrize("name", [None, "", DRIVERS + "swift.SwiftBackupDriver", DRIVERS + "s3", "ceph"])
def test_others_are_refused_with_the_reason(name):
    assert (name or "an unknown driver") in cinder.refusal(name)


@pytest.mark.parametrize("name", ["posix", "ceph"])
def test_a_backup_that_failed_before_storing_can_be_deleted(name):
    failed = types.SimpleNamespace(id="b", volume_id="v", snapshot_id=None, container=None,
                                   facts=cinder.facts(row(DRIVERS + name), None))
    cinder.CinderBackups(None, types.SimpleNamespace()).of(failed).delete(failed)
