"""doctor on MariaDB and PostgreSQL: consistent reads, and correct repairs under load."""

import pytest
import sqlalchemy as sa

from cinder_lite import db, states
from cinder_lite.db import schema
from cinder_lite.doctor import Doctor, sums
from cinder_lite.jobs.lifecycle import VOLUME
from tests.functional.installation import POOL, PROJECT, Installation


@pytest.fixture
def here(database, tmp_path):
    installation = Installation(tmp_path, database.url).sync()
    yield installation
    installation.db.dispose()


def doctor(here):
    return Doctor(here.db, here.conf, pause=0)


def texts(findings):
    return [finding.text for finding in findings]


def test_inconsistencies_are_found_and_repaired(here):
    volume = here.volume(size=3, metadata={"a": "b"}, volume_type_id="gold")
    here.snapshot(volume, size=3, status=states.DELETING)
    here.backup(volume, status=states.CREATING)
    here.volume(status=VOLUME.actions["extend"].doing, previous_status=states.AVAILABLE)
    here.volume(status=states.IN_USE)
    here.snapshot("gone")
    here.add("attachments", volume_id="gone")
    here.add("labels", resource_id="gone", key="a", value="b")
    here.add("jobs", kind="volume", action="delete", resource_id="gone")
    here.add("quota_usages", project_id="red", resource="volumes", type_id="", in_use=4)
    assert {finding.invariant for finding in doctor(here).examine().violations} == {
        "job without resource", "status without job", "attachment without volume", "snapshot without volume",
        "metadata index without resource", "metadata index mismatch", "status contradicts attachments",
        "quota usage mismatch",
        "pool usage mismatch", "orphaned snapshot"}
    report = doctor(here).repair(delete_orphans=True)
    assert texts(report.violations) == [] and report.notes == []
    pool, = here.rows("pools", name=POOL)
    assert (pool.allocated_gb, pool.volume_count) == (5, 3)


def test_there_is_no_finding_under_load(here):
    with here.churning():
        looks = [doctor(here)._pass() for _ in range(10)]
    assert [text for look in looks for text in texts(look)] == []


@db.retried
def miscount(here):
    usage = schema.quota_usages
    with here.db.write() as tx:
        tx.execute(sa.update(usage).where(usage.c.project_id == PROJECT).values(in_use=usage.c.in_use + 20))


def test_usage_is_repaired_under_load(here):
    with here.churning():
        for _ in range(10):
            miscount(here)
            sums.rewrite_usage(PROJECT, here.db, here.conf)
    assert texts(doctor(here).examine().violations) == []
