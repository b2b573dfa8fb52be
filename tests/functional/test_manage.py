"""cinder-lite-manage by its entry point: output and exit status."""

import json

import pytest
import sqlalchemy as sa

from cinder_lite import db, states
from cinder_lite.api.routes import ROUTES
from cinder_lite.cmd import manage
from cinder_lite.db import migrate, schema
from tests.functional.installation import BACKEND, PROJECT, Installation

pytestmark = pytest.mark.once


def test_a_database_is_synced_and_shows_its_version(tmp_path, capsys):
    here = Installation(tmp_path)
    manage_here = ["--config-file", here.conf_file]
    assert manage.main([*manage_here, "db", "version"]) == 1
    assert capsys.readouterr().out == f"empty (this release needs {migrate.HEAD})\n"
    assert manage.main([*manage_here, "service", "list"]) == 2
    assert "run 'cinder-lite-manage db sync'" in capsys.readouterr().err
    assert manage.main([*manage_here, "db", "sync"]) == 0
    assert manage.main([*manage_here, "db", "sync"]) == 0
    assert manage.main([*manage_here, "db", "version"]) == 0
    assert migrate.HEAD in capsys.readouterr().out


@pytest.mark.parametrize("connection", ["sqlite:///{tmp}/no/such.conf/x.sqlite",
                                        "mysql+pymysql://user:secret@127.0.0.1:1/cinder",
                                        "postgresql+psycopg://user:secret@127.0.0.1:1/cinder"])
def test_a_database_that_cannot_be_reached_is_one_clear_line(tmp_path, capsys, connection):
    (tmp_path / "no").touch()
    file = tmp_path / "cinder.conf"
    file.write_text(f"[DEFAULT]\nstate_path = {tmp_path}\n[database]\nconnection = {connection.format(tmp=tmp_path)}\n")
    assert manage.main(["--config-file", str(file), "doctor"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("cinder-lite-manage: ") and "secret" not in error


def test_a_configuration_file_that_is_missing_is_named(tmp_path, capsys):
    assert manage.main(["routes", "--config-file", str(tmp_path / "none.conf")]) == 2
    assert "none.conf" in capsys.readouterr().err


def test_services_are_listed_and_removed_when_they_are_down(here, run):
    status, out, _ = run("service", "list")
    assert status == 0 and [line.split()[4] for line in out.splitlines()[1:]] == ["up"] * 3
    assert run("service", "remove", "cinder-volume", BACKEND)[0] == 2
    with here.db.write() as tx:
        tx.execute(sa.update(schema.services).values(seen_at=None))
    assert run("service", "remove", "cinder-volume", BACKEND)[0] == 0
    assert [row.binary for row in here.rows("services")] == ["cinder-backup", "cinder-scheduler"]
    status, _, error = run("service", "remove", "cinder-volume", BACKEND)
    assert status == 2 and "could not be found" in error


def test_usage_is_checked_and_synced_for_one_project_or_all(here, run):
    here.volume(size=4)
    here.volume(size=5, project_id="red")
    assert run("quota", "check")[0] == 1
    assert run("quota", "sync", "--project", PROJECT)[0] == 0
    assert run("quota", "check", "--project", PROJECT)[0] == 0
    status, out, _ = run("quota", "check")
    assert status == 1 and "red" in out and PROJECT not in out
    status, out, _ = run("quota", "sync")
    assert (status, out) == (0,
        "Recalculated the usage of project red: gigabytes no recorded -> 5, volumes no recorded -> 1.\n")
    assert run("quota", "check")[0] == 0


def test_jobs_are_listed(here, run):
    live = here.add("jobs", kind="volume", action="create", resource_id="v1", progress=40)
    over = here.add("jobs", kind="volume", action="delete", resource_id="v2", status=states.FAILED, error="no disk")
    out = run("job", "list")[1]
    assert live in out and "40 %" in out and over not in out
    out = run("job", "list", "--all")[1]
    assert live in out and over in out and "no disk" in out


def test_every_route_is_printed(run):
    status, out, _ = run("routes")
    assert status == 0 and len(out.splitlines()) == len(ROUTES) + 1
    assert any(line.split()[:2] == ["POST", "/volumes"] and "volume:create" in line for line in out.splitlines())


def test_doctor_reports_that_there_is_no_inconsistency(here, run):
    here.volume()
    here.count()
    assert run("doctor", "--pause", "0") == (
        0, "No inconsistencies found.\n", "")


def test_doctor_prints_findings_and_repairs(here, run):
    id = here.volume(status=states.DELETING)
    here.add("services", uuid="u", binary="cinder-volume", host="other", seen_at=db.now())
    status, out, _ = run("doctor", "--pause", "0")
    lines = out.splitlines()
    assert status == 1 and lines[0].startswith("status without job: ") and id in lines[0]
    assert [line.split(":")[0] for line in lines[1:]] == ["quota usage mismatch"] * 2 + ["pool usage mismatch"]
    status, out, _ = run("doctor", "--pause", "0", "--repair")
    assert status == 0 and out.count("REPAIRED ") == 3 and out.endswith("No inconsistencies found.\n")
    assert run("doctor", "--pause", "0")[0] == 0


def test_the_doctor_speaks_json(here, run):
    here.volume(size=2)
    status, out, _ = run("doctor", "--pause", "0", "--json")
    report = json.loads(out)
    assert status == 1 and report["clean"] is False and report["repaired"] == []
    assert {one["invariant"] for one in report["violations"]} == {"quota usage mismatch", "pool usage mismatch"}
    status, out, _ = run("doctor", "--pause", "0", "--json", "--repair")
    report = json.loads(out)
    assert status == 0 and report["clean"] and {one["invariant"] for one in report["repaired"]} == {
        "quota usage mismatch", "pool usage mismatch"}


def test_orphans_are_deleted_with_repair_only(run):
    status, _, error = run("doctor", "--delete-orphans")
    assert status == 2 and "--repair" in error


def test_without_a_command_the_usage_is_shown(capsys):
    with pytest.raises(SystemExit) as ended:
        manage.main([])
    assert ended.value.code == 2 and "usage:" in capsys.readouterr().err
