"""Each invariant: violated in a real database, reported by doctor, repaired."""

import datetime

import pytest
import sqlalchemy as sa

from cinder_lite import db, states
from cinder_lite.db import metadata_index, quota_usage, schema
from cinder_lite.doctor import Doctor, sums
from cinder_lite.jobs.lifecycle import BACKUP, SNAPSHOT, VOLUME
from cinder_lite.states import lookup
from tests.functional.installation import BACKEND, HOST, LONG_AGO, POOL, PROJECT


def doctor(here):
    return Doctor(here.db, here.conf, pause=0)


def found(here):
    return [finding.invariant for finding in doctor(here).examine().violations]


def repaired(here, *invariants):
    """Check that the inconsistency is found and repaired. Returns the actions of the repair."""
    assert found(here) == list(invariants)
    report = doctor(here).repair()
    assert report.violations == [], [finding.text for finding in report.violations]
    assert found(here) == []
    return [did for _, did in report.repaired]


def doing(engine, action):
    return engine.actions[action].doing


def test_a_sound_installation_is_clean(here):
    volume = here.volume(metadata={"a": "b"}, attach_status=states.ATTACHED, status=states.IN_USE,
                         volume_type_id="gold")
    here.label("volume", volume)
    here.add("attachments", volume_id=volume)
    here.snapshot(volume)
    here.backup(volume)
    here.count()
    report = doctor(here).examine()
    assert (report.violations, report.notes) == ([], [])


# -- statuses without jobs

def test_a_creating_volume_without_a_job_is_created_again(here):
    id = here.volume(status=states.CREATING, host=None, launched_at=None)
    here.count()
    assert repaired(here, "status without job")
    job, = here.rows("jobs", resource_id=id)
    assert (job.action, job.stage, job.host, job.status) == ("create", "scheduler", None, states.QUEUED)


def test_a_placed_creating_volume_is_resumed_at_its_backend(here):
    id = here.volume(status=states.CREATING, launched_at=None)
    here.count()
    repaired(here, "status without job")
    job, = here.rows("jobs", resource_id=id)
    assert (job.action, job.stage, job.host) == ("create", "volume", BACKEND)


def test_a_deleting_volume_without_job_is_deleted_with_its_snapshots(here):
    id = here.volume(status=states.DELETING)
    here.snapshot(id, status=states.DELETING)
    here.count()
    repaired(here, "status without job", "status without job")
    job, = here.rows("jobs")
    assert (job.action, job.resource_id, job.args) == ("delete", id, {"cascade": True})


def test_a_deleting_volume_that_has_no_place_is_gone_at_once(here):
    id = here.add("volumes", status=states.DELETING, host=None, launched_at=None)
    here.count()
    repaired(here, "status without job")
    assert here.row("volumes", id) is None
    assert {row.in_use for row in here.rows("quota_usages")} == {0}


@pytest.mark.parametrize("action,before,after", [
    ("extend", states.IN_USE, VOLUME.actions["extend"].failed), ("revert", states.AVAILABLE, states.ERROR),
    ("backup", states.AVAILABLE, states.AVAILABLE), ("restore", states.AVAILABLE, VOLUME.actions["restore"].failed)])
def test_an_action_that_cannot_be_repeated_has_failed(here, action, before, after):
    id = here.volume(status=doing(VOLUME, action), previous_status=before)
    here.count()
    repaired(here, "status without job")
    assert here.row("volumes", id).status == after


@pytest.mark.parametrize("action,after", [("revert", states.AVAILABLE), ("backup", states.AVAILABLE)])
def test_an_unused_snapshot_is_available(here, action, after):
    id = here.snapshot(here.volume(), status=doing(SNAPSHOT, action))
    here.count()
    repaired(here, "status without job")
    assert here.row("snapshots", id).status == after


@pytest.mark.parametrize("action", ["create", "delete"])
def test_a_snapshot_is_created_or_deleted_again(here, action):
    id = here.snapshot(here.volume(), status=doing(SNAPSHOT, action))
    here.count()
    repaired(here, "status without job")
    job, = here.rows("jobs")
    assert (job.kind, job.action, job.resource_id, job.host) == ("snapshot", action, id, BACKEND)


def test_a_backup_without_a_job_has_failed_and_uses_no_quota(here):
    id = here.backup(here.volume(), status=states.CREATING)
    here.count()
    repaired(here, "status without job")
    row = here.row("backups", id)
    assert (row.status, row.counted) == (states.ERROR, False)
    assert {row.in_use for row in here.rows("quota_usages") if row.resource.startswith("backup")} == {0}


def test_a_backup_is_deleted_again_or_available_after_a_restore(here):
    volume = here.volume()
    deleting = here.backup(volume, status=states.DELETING)
    restoring = here.backup(volume)
    here.set("backups", restoring, status=doing(BACKUP, "restore"))
    here.count()
    repaired(here, "status without job", "status without job")
    job, = here.rows("jobs")
    assert (job.action, job.resource_id, job.host) == ("delete", deleting, HOST)
    assert here.row("backups", restoring).status == states.AVAILABLE


@pytest.mark.parametrize("status", [states.QUEUED, states.RUNNING])
def test_resources_held_by_another_job_stay_held(here, status):
    lease = {"status": status, "lease_until": db.now() + LONG_AGO}
    read, restored, reverted, made, deleted = (here.volume() for _ in range(5))
    for volume, action in ((read, "backup"), (restored, "restore"), (reverted, "revert"), (deleted, "delete")):
        here.set("volumes", volume, status=doing(VOLUME, action))
    backup = here.backup(read, status=states.CREATING)
    here.add("jobs", kind="backup", action="create", resource_id=backup, stage="backup", host=HOST,
             args={"volume_id": read, "snapshot_id": None}, **lease)
    snapshot = here.snapshot(reverted, status=doing(SNAPSHOT, "backup"))
    backup = here.backup(reverted, status=states.CREATING, snapshot_id=snapshot)
    here.add("jobs", kind="backup", action="create", resource_id=backup, stage="backup", host=HOST,
             args={"volume_id": reverted, "snapshot_id": snapshot}, **lease)
    backup = here.backup(read)
    here.set("backups", backup, status=doing(BACKUP, "restore"))
    here.add("jobs", kind="backup", action="restore", resource_id=backup, stage="backup", host=HOST,
             args={"volume_id": restored}, **lease)
    snapshot = here.snapshot(reverted, status=doing(SNAPSHOT, "revert"))
    here.add("jobs", kind="volume", action="revert", resource_id=reverted, args={"snapshot_id": snapshot}, **lease)
    backup = here.backup(read)
    here.set("backups", backup, status=doing(BACKUP, "restore_to_new"))
    here.set("volumes", made, status=states.CREATING, backup_id=backup)
    here.add("jobs", kind="volume", action="create", resource_id=made, args={"backup_id": backup}, **lease)
    here.snapshot(deleted, status=states.DELETING)
    here.add("jobs", kind="volume", action="delete", resource_id=deleted, args={"cascade": True}, **lease)
    here.count()
    assert found(here) == []
    with here.db.write() as tx:
        tx.execute(sa.update(schema.jobs).values(status=states.SUCCEEDED))
    assert len(found(here)) == len([row for table in ("volumes", "snapshots", "backups") for row in here.rows(table)
                                    if row.status in lookup.transitional(table[:-1])]) == 12


# -- jobs

def test_a_job_whose_resource_is_gone_is_ended(here):
    id = here.add("jobs", kind="volume", action="delete", resource_id="gone")
    assert repaired(here, "job without resource") == [f"ended job {id}: volume gone does not exist"]
    assert here.row("jobs", id).status == states.FAILED


def test_a_job_that_was_just_begun_is_given_time(here):
    here.add("jobs", kind="volume", action="delete", resource_id="gone", created_at=db.now())
    assert found(here) == []


def test_a_job_of_a_reset_resource_ends_and_releases_its_holds(here):
    volume = here.volume(status=doing(VOLUME, "backup"), previous_status=states.AVAILABLE)
    backup = here.backup(volume, status=states.ERROR)
    here.count()
    here.add("jobs", kind="backup", action="create", resource_id=backup, stage="backup", host=HOST,
             args={"volume_id": volume, "snapshot_id": None})
    assert "ended job" in repaired(here, "status does not match job")[-1]
    assert (here.row("backups", backup).status, here.row("volumes", volume).status) == (states.ERROR, states.AVAILABLE)


def test_an_abandoned_job_is_queued_again(here):
    volume = here.volume(status=states.DELETING)
    here.count()
    id = here.add("jobs", kind="volume", action="delete", resource_id=volume, status=states.RUNNING, owner="x/1",
                  attempt=1, lease_until=db.now() - datetime.timedelta(seconds=3 * here.conf.job_lease))
    repaired(here, "abandoned job")
    assert here.row("jobs", id).status == states.QUEUED


@pytest.mark.parametrize("stage,host", [("volume", "elsewhere@lvm"), ("backup", "elsewhere"), ("scheduler", None)])
def test_a_job_without_service_is_named_and_cannot_be_repaired(here, stage, host):
    with here.db.write() as tx:
        tx.execute(sa.delete(schema.services).where(schema.services.c.binary == "cinder-scheduler"))
    volume = here.volume(status=states.CREATING, launched_at=None)
    here.count()
    here.add("jobs", kind="volume", action="create", resource_id=volume, stage=stage, host=host)
    report = doctor(here).repair()
    finding, = report.violations
    assert finding.invariant == "job without service" and finding.repair is None and report.repaired == []
    assert f"cinder-{stage}" in finding.text


# -- sums

def test_usage_is_set_to_the_sum(here):
    volume = here.volume(size=7, volume_type_id="gold")
    here.snapshot(volume, size=7, volume_type_id="gold")
    here.backup(volume, size=7)
    here.volume(size=100, counted=False)
    here.count()
    with here.db.write() as tx:
        tx.execute(sa.update(schema.quota_usages).values(in_use=schema.quota_usages.c.in_use - 20))
        tx.execute(sa.delete(schema.quota_usages).where(schema.quota_usages.c.resource == "snapshots"))
    assert set(found(here)) == {"quota usage mismatch"}
    assert doctor(here).repair().violations == []
    with here.db.read() as tx:
        assert quota_usage.usages(tx, PROJECT) == {
            ("volumes", ""): 1, ("volumes", "gold"): 1, ("gigabytes", ""): 14, ("gigabytes", "gold"): 14,
            ("snapshots", ""): 1, ("snapshots", "gold"): 1, ("backups", ""): 1, ("backup_gigabytes", ""): 7}


def test_a_negative_usage_without_rows_is_found(here):
    here.add("quota_usages", project_id=PROJECT, resource="groups", type_id="", in_use=-1)
    repaired(here, "quota usage mismatch")


def test_snapshots_do_not_weigh_where_they_are_not_to(here):
    here.snapshot(here.volume(size=3), size=3)
    here.count()
    here.conf.set_override("no_snapshot_gb_quota", True)
    repaired(here, "quota usage mismatch")
    with here.db.read() as tx:
        assert quota_usage.usages(tx, PROJECT)[("gigabytes", "")] == 3


def test_the_claim_of_a_running_extend_counts(here):
    id = here.volume(size=3, status=doing(VOLUME, "extend"), previous_status=states.AVAILABLE)
    here.count()
    job = here.add("jobs", kind="volume", action="extend", resource_id=id, args={"new_size": 10, "old_size": 3})
    assert found(here) == ["quota usage mismatch", "pool usage mismatch"]
    repaired(here, "quota usage mismatch", "pool usage mismatch")
    assert here.rows("pools", name=POOL)[0].allocated_gb == 10
    here.set("jobs", job, status=states.FAILED)
    repaired(here, "status without job", "quota usage mismatch", "pool usage mismatch")
    assert here.rows("pools", name=POOL)[0].allocated_gb == 3


def test_the_capacity_of_a_pool_is_set_to_the_sum(here):
    here.volume(size=5)
    here.volume(size=6, counted=False)
    here.count()
    with here.db.write() as tx:
        tx.execute(sa.update(schema.pools).values(allocated_gb=-1, volume_count=9))
    repaired(here, "pool usage mismatch")
    pool, = here.rows("pools")
    assert (pool.allocated_gb, pool.volume_count) == (5, 1)


# -- attachments, snapshots, labels

@pytest.mark.parametrize("status,attach_status,present,after", [
    (states.AVAILABLE, states.DETACHED, [states.ATTACHED], states.IN_USE),
    (states.AVAILABLE, states.RESERVED, [states.RESERVED], states.RESERVED),
    (states.IN_USE, states.ATTACHED, [], states.AVAILABLE),
    (states.DETACHING, states.DETACHED, [], states.AVAILABLE),
    (states.RESERVED, states.RESERVED, [states.RESERVED, states.ATTACHING], states.ATTACHING),
    (states.ERROR, states.ATTACHED, [], states.ERROR),
])
def test_a_volume_follows_its_attachments(here, status, attach_status, present, after):
    id = here.volume(status=status, attach_status=attach_status)
    for one in present:
        here.add("attachments", volume_id=id, attach_status=one)
    here.count()
    repaired(here, "status contradicts attachments")
    assert here.row("volumes", id).status == after


@pytest.mark.parametrize("status,attach_status,present", [
    (states.ATTACHING, states.DETACHED, []), (states.DETACHING, states.ATTACHED, [states.ATTACHED]),
    (states.ATTACHING, states.ATTACHED, [states.ATTACHED]), (states.ERROR, states.ATTACHED, [states.ATTACHED])])
def test_the_old_attaching_and_detaching_are_not_contradictions(here, status, attach_status, present):
    id = here.volume(status=status, attach_status=attach_status)
    for one in present:
        here.add("attachments", volume_id=id, attach_status=one)
    here.count()
    assert found(here) == []


def test_rows_of_a_deleted_volume_are_removed(here):
    id = here.volume()
    here.snapshot(id)
    here.add("attachments", volume_id=id)
    here.add("labels", resource_id=id, key="a", value="b")
    here.count()
    here.delete("volumes", id)
    here.set("services", 1, seen_at=db.now())
    assert {"attachment without volume", "snapshot without volume",
            "metadata index without resource"} <= set(found(here))
    assert doctor(here).repair(delete_orphans=True).violations == []
    assert here.rows("snapshots") == here.rows("attachments") == here.rows("labels") == []


def test_labels_follow_the_metadata(here):
    id = here.volume(metadata={"a": "b", "same": "1"}, admin_metadata={"readonly": "True", "attached_mode": "rw"})
    for key, value in (("a", "wrong"), ("same", "1"), ("readonly", "True"), ("old", "x")):
        here.add("labels", resource_id=id, key=key, value=value)
    here.count()
    repaired(here, "metadata index mismatch")
    assert {(row.key, row.value) for row in here.rows("labels")} == {("a", "b"), ("same", "1"), ("readonly", "True")}


def test_the_metadata_index_is_complete(here):
    id = here.volume(metadata={"a": "b"})
    here.label("volume", id)
    with here.db.write() as tx:
        metadata_index.change_project(tx, [id], "green")
    here.count()
    repaired(here, "metadata index mismatch")
    assert [row.project_id for row in here.rows("labels")] == [PROJECT]


# -- no false alarms

def test_there_is_no_finding_while_volumes_are_created_and_deleted(here):
    with here.churning():
        looks = [doctor(here)._pass() for _ in range(10)]
    assert [finding.text for look in looks for finding in look] == []


def test_usage_is_repaired_while_volumes_come_and_go(here):
    with here.churning():
        for _ in range(5):
            with here.db.write() as tx:
                tx.execute(sa.update(schema.quota_usages).values(in_use=schema.quota_usages.c.in_use + 20))
            sums.rewrite_usage(PROJECT, here.db, here.conf)
    assert found(here) == []
