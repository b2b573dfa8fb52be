"""cinder-lite-manage config check and status upgrade-check report each mistake with a remedy."""

import re

import pytest
import sqlalchemy as sa

from cinder_lite.cmd import manage
from cinder_lite.db import migrate, schema
from tests.functional.installation import BACKEND

pytestmark = pytest.mark.once

SEVERAL = "transport_url = rabbit://me:secret@127.0.0.1:1,me:secret@127.0.0.1:2/v"


@pytest.fixture
def run(here, capsys):
    """Run the command with the installation's settings changed: (exit status, output)."""
    def run(*words, **changes):
        with open(here.conf_file) as file:
            text = file.read()
        for old, new in changes.get("replace", {}).items():
            assert old in text
            text = text.replace(old, new)
        with open(f"{here.conf_file}.changed", "w") as file:
            file.write(text)
        status = manage.main([*words, "--config-file", file.name])
        out, error = capsys.readouterr()
        return status, out + error
    return run


@pytest.fixture
def right(here):
    """Makes the settings of the installation valid without a tgtd."""
    return {"[file-1]": "[file-1]\ntarget_helper = nbd"}


def test_right_settings_are_called_right(run, right):
    status, out = run("config", "check", replace=right)
    assert status == 0, out
    assert f"ok       backend {BACKEND}" in out and "ok       broker local://" in out
    assert out.endswith("Configuration is valid.\n")


@pytest.mark.parametrize("old,new,said", [
    ("[DEFAULT]", "[DEFAULT]\njob_leese = 3", "[DEFAULT] job_leese: there is no such option: did you mean job_lease?"),
    ("[DEFAULT]", "[DEFAULT]\nrootwrap_config = x", "[DEFAULT] rootwrap_config: there is no such option: remove"),
    ("[DEFAULT]", "[DEFAULT]\nnbd_unprotected = 1", "nbd_unprotected: it is valid only in [file-1]: move it there"),
    ("[DEFAULT]", "[DEFAULT]\nvolume_group = x", "volume_group: it is valid only in the section of a backend whose"),
    ("[database]", "[lvm]\nvolume_group = x\n[database]", "[lvm]: there is no such section: remove it; if it"),
    ("[DEFAULT]", "[DEFAULT]\njob_lease = soon", "[DEFAULT] job_lease: invalid literal for int() with base 10: 'soon'"),
    ("[DEFAULT]", "[metrics]\nports = api:x\n[DEFAULT]",
     "[metrics] ports: invalid literal for int() with base 10: 'x'"),
    ("[DEFAULT]", "[DEFAULT]\nlogdir = x", "[DEFAULT] logdir: it is deprecated: write [DEFAULT] log_dir"),
    ("enabled_backends = file-1", "enabled_backends = file-1,lvm", "there is no section [lvm]"),
    ("[DEFAULT]", "[DEFAULT]\nscheduler_default_filters = X",
     "[DEFAULT] scheduler_default_filters: 'X' does not exist"),
    ("volume_driver = file", "volume_driver = fiel",
     "[file-1] volume_driver: there is no 'fiel'; there are: file, lvm"),
    ("volume_driver = file", "volume_driver = file\ncluster = blue",
     "backend file-1: [file-1] cluster: the driver file cannot be used by several hosts at the same time"),
    ("volume_driver = file", "volume_driver = null\ncluster = blue",
     "[file-1] cluster: hosts of a cluster need one broker and one database: set transport_url and [database] "
     "connection to servers"),
    ("volume_driver = file", "volume_driver = cinder.volume.drivers.nfs.NfsDriver", "there is no class cinder.volume"),
    ("target_helper = nbd", "target_helper = scst", "[file-1] target_helper: there is no 'scst'; there are: lio"),
    ("[DEFAULT]", "[DEFAULT]\nbackup_driver = tape", "backup_driver: there is no 'tape'; there are: ceph, posix"),
    ("/volumes", "/cinder.conf", "backend here@file-1: "),
    ("/backups", "/cinder.conf", "backup store posix: "),
    ("[DEFAULT]", "[DEFAULT]\ntransport_url = rabbit://me:secret@127.0.0.1:1,me:secret@127.0.0.1:2/v",
     "broker rabbit://127.0.0.1:1,127.0.0.1:2/v: "),
    ("[DEFAULT]", f"[DEFAULT]\n{SEVERAL}", "rabbit_quorum_queue: transport_url names several hosts, and messages are"),
    ("[DEFAULT]", f"[DEFAULT]\n{SEVERAL}", "rabbit_transient_quorum_queue: transport_url names several hosts"),
    ("[DEFAULT]", f"[DEFAULT]\n{SEVERAL}", "heartbeat_timeout_threshold: transport_url names several hosts, and the "
     "loss of one is noticed after 60 s: set it to 10"),
    ("[DEFAULT]", "[DEFAULT]\ntransport_url = rabit://here/", "[DEFAULT] transport_url: "),
    ("connection = sqlite:///", "connection = /", "[database] connection: the database's URL is not like 'mysql"),
    ("connection = sqlite:///", "connection = mongodb:///",
     "[database] connection: the database's URL is not like 'mysql"),
    ("connection = sqlite", "connection = mysql+pymysql://me:secret@127.0.0.1:1/c ; ", "correct [database] connection"),
    ("connection = sqlite", "connection = mysql+mysqldb://me:secret@127.0.0.1:1/c?program_name= ; ",
     "PyMySQL is used instead of mysqldb, because mysqlclient "),
])
def test_a_mistake_is_reported_with_a_remedy(run, right, old, new, said):
    changes = dict(right)
    changes[old] = changes.get(old, old).replace(old, new)
    status, out = run("config", "check", replace=changes)
    assert status == 1
    assert any(line.startswith("PROBLEM") and said in line for line in out.splitlines()), out
    assert "secret" not in out


def test_a_database_that_was_not_synced_is_named(here, run, right):
    with here.db.write() as tx:
        tx.execute(sa.text("UPDATE alembic_version SET version_num = '0001'"))
    status, out = run("config", "check", replace=right)
    assert status == 1 and "at revision 0001" in out and "db sync" in out


def lines(out):
    """{check: [results]} of the table."""
    found = {}
    for name, result in re.findall(r"\| Check: (\S+) +\|\n\| Result: (\S+) +\|", out):
        found.setdefault(name, []).append(result)
    return found


def test_an_upgrade_check_without_findings(run):
    status, out = run("status", "upgrade-check")
    assert (status, lines(out)) == (0, dict.fromkeys(("database", "messages", "jobs", "settings"), ["Success"]))


@pytest.mark.parametrize("revision,said", [("0001", "db sync"), (f"{int(migrate.HEAD) + 1:04}", "of a later release")])
def test_a_database_of_another_release_is_a_warning(here, run, revision, said):
    with here.db.write() as tx:
        tx.execute(sa.text("UPDATE alembic_version SET version_num = :n"), {"n": revision})
    status, out = run("status", "upgrade-check")
    assert (status, lines(out)["database"]) == (1, ["Warning"]) and said in out


@pytest.mark.parametrize("version,status,result", [("1.99", 1, "Warning"), ("2.0", 2, "Failure")])
def test_services_that_speak_otherwise_are_named(here, run, version, status, result):
    with here.db.write() as tx:
        tx.execute(sa.update(schema.services).where(schema.services.c.host == BACKEND).values(rpc_version=version))
    found, out = run("status", "upgrade-check")
    assert (found, lines(out)["messages"]) == (status, [result]) and BACKEND in out


def test_a_job_of_a_later_release_is_a_failure(here, run):
    here.add("jobs", kind="volume", action="levitate", resource_id=here.volume())
    status, out = run("status", "upgrade-check")
    assert (status, lines(out)["jobs"]) == (2, ["Failure"]) and "levitate" in out


def test_a_deprecated_setting_is_a_warning(run):
    status, out = run("status", "upgrade-check", replace={"[DEFAULT]": "[DEFAULT]\nlogdir = x"})
    assert status == 1 and lines(out)["settings"] == ["Warning"]
