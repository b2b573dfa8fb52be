"""cinder-lite-manage update-host and db purge: rows, jobs and sums are updated."""

import datetime

import pytest
import sqlalchemy as sa

from cinder_lite import db, states
from cinder_lite.db import schema
from cinder_lite.doctor import Doctor
from tests.functional.installation import BACKEND, HOST, POOL

pytestmark = pytest.mark.once


def stop_services(here):
    with here.db.write() as tx:
        tx.execute(sa.update(schema.services).values(seen_at=None))


def test_update_host_moves_volumes_jobs_groups_and_capacity(here, run):
    moved, other = here.volume(size=3), here.volume(size=2, host="elsewhere@file-1#file-1")
    here.add("pools", name="there@file-1#file-1", service_host="there@file-1")
    live = here.add("jobs", kind="volume", action="extend", resource_id=moved, args={"new_size": 3, "old_size": 3})
    over = here.add("jobs", kind="volume", action="create", resource_id=moved, status=states.SUCCEEDED)
    to = here.add("jobs", kind="volume", action="migrate", resource_id=other, stage="scheduler", host=None,
                  args={"to_host": POOL})
    here.count()
    stop_services(here)
    status, out, _ = run("volume", "update-host", "here", "there")
    assert (status, out.splitlines()[0]) == (0, "Moved 1 volume, 0 groups, 1 job from here to there.")
    assert "service remove cinder-volume here@file-1" in out
    assert here.row("volumes", moved).host == "there@file-1#file-1"
    assert here.row("volumes", other).host == "elsewhere@file-1#file-1"
    assert (here.row("jobs", live).host, here.row("jobs", over).host) == ("there@file-1", BACKEND)
    assert here.row("jobs", to).args == {"to_host": "there@file-1#file-1"}
    assert {row.name: row.allocated_gb for row in here.rows("pools")} == {POOL: 0, "there@file-1#file-1": 3}


def test_a_backend_gets_another_name_and_its_pool_with_it(here, run):
    id = here.volume()
    group = here.add("volume_groups", project_id="blue", user_id="ann", status=states.AVAILABLE, host=BACKEND,
                     group_type_id="t", volume_types={})
    stop_services(here)
    assert run("volume", "update-host", BACKEND, "here@fast")[0] == 0
    assert (here.row("volumes", id).host, here.row("volume_groups", group).host) == ("here@fast#fast", "here@fast")


def test_a_pool_of_another_backend_takes_over_unless_jobs_wait(here, run):
    id = here.volume(host=f"{BACKEND}#a")
    job = here.add("jobs", kind="volume", action="delete", resource_id=id)
    stop_services(here)
    status, _, error = run("volume", "update-host", f"{BACKEND}#a", "there@lvm#b")
    assert status == 2 and f"{BACKEND} has 1 pending job" in error
    here.delete("jobs", job)
    assert run("volume", "update-host", f"{BACKEND}#a", "there@lvm#b")[0] == 0
    assert here.row("volumes", id).host == "there@lvm#b"


@pytest.mark.parametrize("current,new,said", [
    ("here", "there", "is up: stop it first"), ("nowhere", "there", "nothing is on nowhere"),
    ("here", "there@lvm", "of one kind"), ("here@", "there@lvm", "host@backend#pool")])
def test_invalid_renames_are_refused(here, run, current, new, said):
    here.volume()
    status, _, error = run("volume", "update-host", current, new)
    assert status == 2 and said in error


def test_backups_get_another_service(here, run):
    volume = here.volume()
    id = here.backup(volume)
    job = here.add("jobs", kind="backup", action="delete", resource_id=id, stage="backup", host=HOST)
    status, _, error = run("backup", "update-host", HOST, "there")
    assert status == 2 and "cinder-backup on here is up" in error
    stop_services(here)
    status, out, _ = run("backup", "update-host", HOST, "there")
    assert (status, out) == (0, "Moved 1 backup from here to there.\n")
    assert (here.row("backups", id).host, here.row("jobs", job).host) == ("there", "there")
    assert run("backup", "update-host", HOST, "there")[0] == 2


def test_there_is_no_inconsistency_after_update_host(here, run):
    here.volume(size=3)
    here.count()
    stop_services(here)
    assert run("volume", "update-host", "here@file-1", "there@file-1")[0] == 0
    here.conf.set_override("host", "there")
    assert [finding.text for finding in Doctor(here.db, here.conf, pause=0).examine().violations] == []


def test_old_rows_are_purged(here, run):
    days = {day: db.now() - datetime.timedelta(days=day) for day in (0, 3)}
    for ended in days.values():
        here.add("jobs", kind="volume", action="delete", resource_id="v", status=states.SUCCEEDED, created_at=ended,
                 finished_at=ended)
        here.add("messages", project_id="blue", event_id="x", message_level="ERROR", user_message="x", created_at=ended,
                 expires_at=db.now() + datetime.timedelta(days=1))
    live = here.add("jobs", kind="volume", action="delete", resource_id="v", created_at=days[3])
    assert run("db", "purge", "--days", "4")[1] == "Deleted 0 jobs and 0 messages.\n"
    assert run("db", "purge")[1] == "Deleted 1 job and 0 messages.\n"
    assert run("db", "purge", "--days", "2")[1] == "Deleted 0 jobs and 1 message.\n"
    assert len(here.rows("jobs")) == 2 and here.row("jobs", live) is not None
