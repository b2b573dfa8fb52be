"""Unmodified client libraries against the service."""

import contextlib

import cinderclient.client
import cinderclient.exceptions
import openstack
import openstack.exceptions
import pytest
from cinderclient.contrib import noauth
from keystoneauth1 import session
from keystoneauth1.token_endpoint import Token

from tests.functional.client import PROJECT
from tests.functional.service import until

SERVER = "6a2f5c33-9c35-4b7b-9a2d-2f0c2f7b9c11"


@pytest.fixture
def sdk(service):
    """openstacksdk with the URL of the service and a noauth token."""
    with contextlib.closing(openstack.connection.Connection(
            session=session.Session(Token(f"{service.url}/v3/{PROJECT}", f"tester:{PROJECT}")),
            block_storage_endpoint_override=f"{service.url}/v3/{PROJECT}",
            block_storage_api_version="3")) as connection:
        yield connection.block_storage


def gone(find, id):
    until(lambda: find(id) is None, f"{id} to be gone")


def test_sdk_volumes(sdk):
    volume = sdk.create_volume(size=1, name="sdk", metadata={"a": "b"})
    volume = sdk.wait_for_status(volume, "available", interval=0.1, wait=30)
    assert (volume.size, volume.name, volume.metadata, volume.is_bootable) == (1, "sdk", {"a": "b"}, False)
    assert sdk.find_volume("sdk").id == volume.id
    assert volume.id in [one.id for one in sdk.volumes()]
    assert [one.id for one in sdk.volumes(details=False, name="sdk")] == [volume.id]
    assert sdk.update_volume(volume, description="words").description == "words"
    assert sdk.set_volume_metadata(volume, c="d").metadata["c"] == "d"
    sdk.delete_volume_metadata(sdk.get_volume(volume.id), keys=["a"])
    assert sdk.get_volume_metadata(volume).metadata == {"c": "d"}
    sdk.extend_volume(volume, 2)
    until(lambda: sdk.get_volume(volume.id).size == 2, "the volume to grow")
    sdk.wait_for_status(sdk.get_volume(volume.id), "available", interval=0.1, wait=30)
    sdk.set_volume_bootable_status(volume, True)
    sdk.set_volume_readonly(volume, True)
    assert sdk.get_volume(volume.id).is_bootable
    sdk.set_volume_readonly(volume, False)
    summary = sdk.summary(False)
    assert summary.total_count >= 1 and summary.metadata["c"] == ["d"]
    sdk.delete_volume(volume)
    gone(lambda id: sdk.find_volume(id), volume.id)


def test_sdk_pages(sdk):
    made = [sdk.create_volume(size=1, name=f"page-{n}").id for n in range(5)]
    listed = [volume.id for volume in sdk.volumes(limit=2) if volume.id in made]
    assert listed == made[::-1]
    for id in made:
        sdk.wait_for_status(sdk.get_volume(id), "available", interval=0.1, wait=30)
        sdk.delete_volume(id)


def test_sdk_snapshots(sdk):
    volume = sdk.wait_for_status(sdk.create_volume(size=1), "available", interval=0.1, wait=30)
    snapshot = sdk.create_snapshot(volume_id=volume.id, name="snap", force=True)
    snapshot = sdk.wait_for_status(snapshot, "available", interval=0.1, wait=30)
    assert (snapshot.volume_id, snapshot.size, snapshot.progress) == (volume.id, 1, "100%")
    assert [one.id for one in sdk.snapshots(volume_id=volume.id)] == [snapshot.id]
    assert sdk.find_snapshot("snap").id == snapshot.id
    assert sdk.update_snapshot(snapshot, name="other").name == "other"
    copy = sdk.wait_for_status(sdk.create_volume(size=1, snapshot_id=snapshot.id), "available", interval=0.1, wait=30)
    assert copy.snapshot_id == snapshot.id
    sdk.revert_volume_to_snapshot(volume, snapshot)
    sdk.wait_for_status(sdk.get_volume(volume.id), "available", interval=0.1, wait=30)
    sdk.wait_for_status(sdk.get_snapshot(snapshot.id), "available", interval=0.1, wait=30)
    with pytest.raises(openstack.exceptions.BadRequestException):
        sdk.delete_volume(volume)
    sdk.delete_snapshot(snapshot)
    gone(lambda id: sdk.find_snapshot(id), snapshot.id)


def test_sdk_backups(sdk):
    volume = sdk.wait_for_status(sdk.create_volume(size=1, name="origin"), "available", interval=0.1, wait=30)
    backup = sdk.create_backup(volume_id=volume.id, name="safe")
    backup = sdk.wait_for_status(sdk.get_backup(backup.id), "available", interval=0.1, wait=60)
    assert (backup.size, backup.volume_id, backup.is_incremental) == (1, volume.id, False)
    assert sdk.find_backup("safe").id == backup.id
    assert backup.id in [one.id for one in sdk.backups()]
    sdk.restore_backup(backup, volume_id=volume.id)
    until(lambda: sdk.get_volume(volume.id).status == "available", "the restore to end")
    until(lambda: sdk.get_backup(backup.id).status == "available", "the backup to be free")
    sdk.delete_backup(backup)
    gone(lambda id: sdk.find_backup(id), backup.id)


def test_sdk_types(sdk):
    made = sdk.create_type(name="sdk-type", is_public=False, extra_specs={"a": "b"})
    assert sdk.get_type(made.id).extra_specs == {"a": "b"}
    assert sdk.update_type_extra_specs(made, c="d").extra_specs == {"c": "d"}
    sdk.delete_type_extra_specs(made, keys=["a"])
    assert sdk.get_type(made.id).extra_specs == {"c": "d"}
    sdk.add_type_access(made, PROJECT)
    assert [one["project_id"] for one in sdk.get_type_access(made)] == [PROJECT]
    sdk.remove_type_access(made, PROJECT)
    assert sdk.update_type(made, description="words").description == "words"
    assert "__DEFAULT__" in [one.name for one in sdk.types()]
    sdk.delete_type(made)
    with pytest.raises(openstack.exceptions.NotFoundException):
        sdk.get_type(made.id)


def test_sdk_attachments(sdk):
    volume = sdk.wait_for_status(sdk.create_volume(size=1), "available", interval=0.1, wait=30)
    attachment = sdk.create_attachment(volume.id, instance=SERVER)
    assert (attachment.status, attachment.volume_id) == ("reserved", volume.id)
    attachment = sdk.update_attachment(attachment, connector={"host": "h", "initiator": "iqn.1993-08.org.example:h"})
    assert attachment.connection_info["driver_volume_type"] == "iscsi"
    sdk.complete_attachment(attachment)
    assert sdk.get_attachment(attachment.id).status == "attached"
    assert sdk.get_volume(volume.id).attachments[0]["server_id"] == SERVER
    assert [one.id for one in sdk.attachments(volume_id=volume.id)] == [attachment.id]
    sdk.delete_attachment(attachment)
    assert sdk.get_volume(volume.id).status == "available"


def test_sdk_limits_quotas_and_the_rest(sdk):
    limits = sdk.get_limits()
    assert limits.absolute.max_total_volumes == 10
    quota = sdk.get_quota_set(PROJECT, usage=True)
    assert quota.volumes == 10 and "volumes" in quota.usage
    assert sdk.get_quota_set_defaults(PROJECT).gigabytes == 1000
    assert sdk.update_quota_set(PROJECT, gigabytes=500).gigabytes == 500
    sdk.revert_quota_set(PROJECT)
    assert sdk.get_quota_set(PROJECT).gigabytes == 1000
    assert {one.binary for one in sdk.services()} == {"cinder-volume", "cinder-scheduler", "cinder-backup"}
    assert [zone.name for zone in sdk.availability_zones()] == ["nova"]
    assert [pool.name for pool in sdk.backend_pools()] == ["test@file-1#file-1"]
    assert len(list(sdk.extensions())) == 32
    assert "volume" in [one.resource for one in sdk.resource_filters()]
    assert sdk.get_capabilities("test@file-1").volume_backend_name == "file-1"
    with pytest.raises(openstack.exceptions.NotFoundException):
        sdk.get_volume(SERVER)


def test_cinderclient(service):
    """The results of its methods; tests of the command line are in the services tier."""
    auth = noauth.CinderNoAuthPlugin("tester", PROJECT, endpoint=f"{service.url}/v3")
    cinder = cinderclient.client.Client("3.71", session=session.Session(auth))
    volume = cinder.volumes.create(1, name="client", metadata={"a": "b"})
    until(lambda: cinder.volumes.get(volume.id).status == "available", "the volume")
    assert [one.id for one in cinder.volumes.list(search_opts={"name": "client"})] == [volume.id]
    assert volume.id in [one.id for one in cinder.volumes.list(limit=100, sort="name:asc")]
    attachment = cinder.attachments.create(volume.id, {"host": "h", "initiator": "iqn.1993-08.org.example:h"}, SERVER)
    cinder.attachments.complete(attachment["id"] if isinstance(attachment, dict) else attachment.id)
    assert cinder.volumes.get(volume.id).status == "in-use"
    assert cinder.quotas.get(PROJECT, usage=True).volumes["limit"] == 10
    assert {limit.name: limit.value for limit in cinder.limits.get().absolute}["maxTotalVolumes"] == 10
    with pytest.raises(cinderclient.exceptions.BadRequest) as refused:
        cinder.volumes.delete(volume.id)
    assert refused.value.request_id.startswith("req-")
    with pytest.raises(cinderclient.exceptions.OverLimit):
        cinder.volumes.create(5000)
    cinder.attachments.delete(cinder.attachments.list(search_opts={"volume_id": volume.id})[0].id)
    cinder.volumes.delete(volume.id)
