"""The holds of jobs that earlier releases have recorded, without the arguments that name their sources."""

import types

import pytest

from cinder_lite import context, states
from cinder_lite.db import job_queries
from cinder_lite.jobs import holds
from cinder_lite.jobs.lifecycle import BACKUP, SNAPSHOT, VOLUME
from cinder_lite.volume.verbs.attachments import mirror
from cinder_lite.volume.verbs.images import Images
from tests.functional.installation import HOST, PROJECT


def backed_up(here):
    volume = here.volume(status=VOLUME.actions["backup"].doing, previous_status=states.IN_USE)
    backup = here.backup(volume, status=states.CREATING)
    return "backup", "create", backup, ("volumes", volume, states.IN_USE)


def snapshot_backed_up(here):
    volume = here.volume()
    snapshot = here.snapshot(volume, status=SNAPSHOT.actions["backup"].doing, previous_status=states.AVAILABLE)
    backup = here.backup(volume, status=states.CREATING, snapshot_id=snapshot)
    return "backup", "create", backup, ("snapshots", snapshot, states.AVAILABLE)


def made_of_backup(here):
    backup = here.backup(here.volume())
    here.set("backups", backup, status=BACKUP.actions["restore_to_new"].doing)
    volume = here.volume(status=states.CREATING, backup_id=backup)
    return "volume", "create", volume, ("backups", backup, states.AVAILABLE)


@pytest.mark.parametrize("begun", [backed_up, snapshot_backed_up, made_of_backup])
@pytest.mark.parametrize("succeeded", [True, False])
def test_a_source_that_no_argument_names_is_released(here, begun, succeeded):
    kind, action, id, (table, source, status) = begun(here)
    job_id = here.add("jobs", kind=kind, action=action, resource_id=id, stage="backup", host=HOST, owner="one",
                      status=states.RUNNING, args={})
    with here.db.write() as tx:
        job = job_queries.get(tx, job_id)
        if succeeded:
            row = holds.locked(tx, job) if holds.needs_row(job) else None
            assert holds.succeed(tx, here.conf, job, {}, {}, row)
        else:
            assert holds.fail(tx, here.conf, job, "it broke")
    assert here.row(table, source).status == status


@pytest.mark.parametrize("action", ["upload", "upload_in_use"])
def test_the_image_of_an_upload_that_no_worker_began_is_deleted(here, action):
    volume = here.volume(status=states.UPLOADING, previous_status=states.AVAILABLE)
    job_id = here.add("jobs", kind="volume", action=action, resource_id=volume, stage="volume", host=HOST,
                      status=states.QUEUED, args={"image_id": "2f1d", "disk_format": "raw"})
    with here.db.write() as tx:
        assert holds.fail(tx, here.conf, job_queries.get(tx, job_id), "it was ended by force")
        found, = job_queries.live_of(tx, "image", "2f1d")
    assert (found.action, found.host, found.status) == ("delete", HOST, states.QUEUED)


@pytest.mark.parametrize(("before", "present", "expected"), [
    ("available", [], "available"), ("error", [], "available"), ("available", ["reserved"], "reserved"),
    ("error", ["attached"], "in-use")])
def test_a_reimage_leaves_the_status_that_the_attachments_give(here, before, present, expected):
    """A volume can be reserved while an image is written over it."""
    volume = here.volume(status=before)
    if before == "error":
        _attach(here, volume, present)
    waking = types.SimpleNamespace(on=lambda _host: types.SimpleNamespace(run_job=lambda *_, **__: None))
    image = types.SimpleNamespace(id="2f1d", gigabytes=1, min_disk=0, status="active", size=1)
    images = Images(here.db, here.conf, waking)
    images._reimage(context.Context(user_id="ann", project_id=PROJECT, is_admin=True), volume, image, False)
    if before != "error":
        _attach(here, volume, present)
    with here.db.write() as tx:
        job, = job_queries.live_of(tx, "volume", volume)
        assert holds.succeed(tx, here.conf, job, {}, {}, holds.locked(tx, job))
    assert here.row("volumes", volume).status == expected


def _attach(here, volume, present):
    for status in present:
        here.add("attachments", volume_id=volume, project_id=PROJECT, attach_status=status)
    with here.db.write() as tx:
        mirror(tx, VOLUME.locked(tx, volume))
