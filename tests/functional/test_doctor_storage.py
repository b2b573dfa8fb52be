"""doctor compares backends and backup stores with the database; orphans are deleted on request."""

import os
import shutil
import uuid

import pytest

from cinder_lite import states
from cinder_lite.doctor import Doctor
from tests.functional.installation import BACKEND, HOST


def examine(here):
    return [(finding.invariant, finding.subject) for finding in Doctor(here.db, here.conf,
                                                                       pause=0).examine().violations]


def repair(here, delete_orphans):
    report = Doctor(here.db, here.conf, pause=0).repair(delete_orphans)
    return [finding.invariant for finding in report.violations], [did for _, did in report.repaired]


@pytest.mark.parametrize("kind", ["volume", "snapshot"])
def test_an_object_without_a_row_is_listed_and_deleted_only_on_request(here, kind):
    here.volume()
    here.count()
    name = f"{kind}-{uuid.uuid4()}"
    here.put(name)
    assert examine(here) == [(f"orphaned {kind}", (BACKEND, name))]
    assert repair(here, False) == ([f"orphaned {kind}"], [])
    assert os.path.exists(here.path(name))
    assert repair(here, True) == ([], [f"deleted {name} from {BACKEND}"])
    assert not os.path.exists(here.path(name))


def test_an_object_of_a_failed_retry_on_another_backend_is_an_orphan(here):
    id = here.add("volumes", host="here@other#pool")
    here.count()
    here.put(f"volume-{id}")
    assert examine(here) == [("orphaned volume", (BACKEND, f"volume-{id}"))]


def test_files_that_are_not_named_as_volumes_are_nobodys_business(here):
    here.put("volume-of-mine")
    assert examine(here) == []


def test_a_running_backup_holds_its_frozen_copy_and_an_ended_one_does_not(here):
    id = here.backup(here.volume(status=states.BACKING_UP, previous_status=states.IN_USE), status=states.CREATING)
    here.add("jobs", kind="backup", action="create", resource_id=id, stage="backup", host=HOST)
    here.put(f"snapshot-{id}")
    here.count()
    assert examine(here) == []
    here.set("backups", id, status=states.ERROR)
    assert ("orphaned snapshot", (BACKEND, f"snapshot-{id}")) in examine(here)


def test_a_missing_volume_and_a_missing_snapshot_are_reported_and_not_changed(here):
    volume, other = here.volume(), here.volume()
    snapshot = here.snapshot(other)
    here.count()
    os.unlink(here.path(f"volume-{volume}"))
    os.unlink(here.path(f"snapshot-{snapshot}"))
    expected = [("missing volume", (BACKEND, "volume", volume)),
                ("missing snapshot", (BACKEND, "snapshot", snapshot))]
    assert examine(here) == expected
    assert repair(here, True)[1] == []
    assert here.row("volumes", volume).status == states.AVAILABLE


@pytest.mark.parametrize("status", [states.CREATING, states.ERROR])
def test_a_volume_that_was_never_created_is_not_missing(here, status):
    id = here.add("volumes", status=status, launched_at=None)
    here.add("jobs", kind="volume", action="create", resource_id=id,
             status=states.QUEUED if status == states.CREATING else states.FAILED)
    here.count()
    assert examine(here) == []


def test_a_backend_that_keeps_no_names_is_not_missed_anything(here):
    here.add("volumes", host="here@null-1#null-1")
    here.count()
    here.conf.set_override("enabled_backends", ["null-1"])
    with open(here.conf_file, "a") as file:
        file.write("[null-1]\nvolume_driver = null\n")
    here.conf.reload_config_files()
    here.conf.set_override("enabled_backends", ["null-1"])
    assert examine(here) == []


def test_a_backend_that_cannot_be_looked_at_is_a_note_and_no_loss(here):
    here.volume()
    here.count()
    shutil.rmtree(here.path(""))
    report = Doctor(here.db, here.conf, pause=0).examine()
    assert report.violations == []
    note, = report.notes
    assert BACKEND in note and "was not checked" in note


@pytest.mark.parametrize("container", [None, "named", "named/deeper"])
def test_a_stored_backup_without_a_row_is_listed_and_deleted_only_on_request(here, container):
    here.backup(here.volume())
    if container:
        other = here.backup(here.volume())
        here.set("backups", other, container=container)
        here.store(container, other, "manifest")
        shutil.rmtree(os.path.join(here.state, "backups", other[:2], other[2:4], other))
    here.count()
    id = str(uuid.uuid4())
    place = container or f"{id[:2]}/{id[2:4]}/{id}"
    path = here.store(place, id, "run/000000/index")
    assert examine(here) == [("orphaned backup", (place, id))]
    assert repair(here, False) == (["orphaned backup"], [])
    assert os.path.exists(path)
    assert repair(here, True) == ([], [f"deleted backup {id} from the store"])
    assert not os.path.exists(path)


def test_a_backup_without_manifest_is_named(here):
    id = here.backup(here.volume())
    elsewhere = here.backup(here.volume(), host="elsewhere")
    here.count()
    for one in (id, elsewhere):
        shutil.rmtree(os.path.join(here.state, "backups", one[:2]))
    assert examine(here) == [("backup without manifest", (id,))]


def test_the_data_of_an_imported_backup_is_no_orphan_under_any_id(here):
    old = str(uuid.uuid4())
    volume = here.volume()
    here.store("ab/cd/x", old, "manifest")
    here.add("backups", volume_id=volume, container="ab/cd/x", facts={"service_metadata": f"backup_{old}"})
    here.count()
    assert examine(here) == []
    assert repair(here, True) == ([], [])
