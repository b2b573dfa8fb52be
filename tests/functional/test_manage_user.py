"""cinder-lite-manage, run by root: it creates files as the user of the service; named files are read and written as
root.

If the tests do not run as root, or with a Python that other users cannot access, the service runs as the same user.
"""

import os
import pathlib
import pwd
import re
import shutil
import stat
import subprocess
import sys
import tempfile

import pytest

from cinder_lite.host import effective_user
from tests.functional.installation import Installation
from tests.meta.source import TOP

pytestmark = pytest.mark.once


def open_to_all(directory):
    return all(path.stat().st_mode & stat.S_IXOTH for path in (directory, *directory.parents))


ROOT = os.geteuid() == 0 and all(open_to_all(pathlib.Path(path)) for path in (sys.base_prefix, sys.prefix, TOP))
SERVICE = pwd.getpwnam("nobody") if ROOT else pwd.getpwuid(os.geteuid())


@pytest.fixture
def here(capsys):
    """An installation in a directory that the service may enter, as everything in it is the service's but the
    settings."""
    directory = pathlib.Path(tempfile.mkdtemp())
    made = Installation(directory)
    settings = pathlib.Path(made.conf_file)
    settings.write_text(settings.read_text().replace("[file-1]", "[file-1]\ntarget_helper = nbd"))
    if ROOT:
        os.chmod(settings, 0o640)
        os.chown(settings, 0, SERVICE.pw_gid)
        for path in (directory, directory / "volumes"):
            os.chown(path, SERVICE.pw_uid, SERVICE.pw_gid)
    yield made
    made.db.dispose()
    shutil.rmtree(directory)


@pytest.fixture
def roots(here, tmp_path):
    """A directory that only the calling user can enter."""
    directory = tmp_path / "roots"
    directory.mkdir(mode=0o700)
    return directory


@pytest.fixture(autouse=True)
def imported(tmp_path, run, capsys):
    """Preloads the late imports of the command: the checkout may be accessible only by root."""
    other = tmp_path / "other"
    other.mkdir()
    run("config", "check", "--config-file", Installation(other).conf_file)


def owners(here):
    return {path.name: path.owner() for path in pathlib.Path(here.state).rglob("*")
            if path.name not in ("cinder.conf", "cinder.conf.changed")}


def test_created_files_belong_to_the_user_of_the_service(here, run):
    assert run("db", "sync")[0] == 0
    status, out, _ = run("config", "check")
    assert status == 0, out
    made = owners(here)
    assert {"cinder.sqlite", "backups", ".incoming"} <= set(made)
    assert set(made.values()) == {SERVICE.pw_name}


def test_the_user_is_restored_at_the_end(here, run):
    before = os.getresuid(), os.getresgid(), os.getgroups(), os.environ.get("HOME")
    run("db", "sync")
    assert run("restore", "nowhere")[0] == 2
    assert (os.getresuid(), os.getresgid(), os.getgroups(), os.environ.get("HOME")) == before


def test_named_files_are_accessed_as_the_calling_user(here, run, roots):
    run("db", "sync")
    status, out, error = run("export", str(roots / "export"))
    assert status == 0, error
    assert (roots / "export").owner() == pwd.getpwuid(os.geteuid()).pw_name
    assert stat.S_IMODE((roots / "export").stat().st_mode) == 0o600
    assert run("restore", str(roots / "export"), "--settings", str(roots / "settings"))[0] == 0
    assert (roots / "settings/cinder.conf").owner() == pwd.getpwuid(os.geteuid()).pw_name
    assert run("restore", str(roots / "export"))[0] == 0
    assert set(owners(here).values()) == {SERVICE.pw_name}


def test_settings_that_the_service_cannot_read_are_reported(here, run):
    run("db", "sync")
    os.chmod(here.conf_file, 0o600)
    status, out, error = run("config", "check")
    if ROOT:
        assert status == 2 and f"cannot be read by {SERVICE.pw_name}, the user of the services" in error
    else:
        assert status == 0, out


def test_a_cinder_conf_that_only_root_can_read_is_imported(here, run, roots):
    run("db", "sync")
    (roots / "cinder.conf").write_text(f"[database]\nconnection = sqlite:///{here.state}/none\n")
    (roots / "cinder.conf").chmod(0o600)
    status, _, error = run("import-cinder", "--from", str(roots / "cinder.conf"), "--dry-run")
    assert status == 2 and "there is no file" in error


def test_the_exit_status_is_that_of_the_command(here, run):
    """Threads that wait are woken by the change of user, and the interpreter has gone meanwhile."""
    run("db", "sync")
    settings = pathlib.Path(here.conf_file)
    # What root does for it is in a thread.
    settings.write_text(settings.read_text().replace("volume_driver = file",
                                                     "volume_driver = lvm\nvolume_group = nowhere"))
    argv = [sys.executable, "-m", "cinder_lite.cmd.manage", "--config-file", here.conf_file, "config", "check"]
    ends = [subprocess.run(argv, capture_output=True, text=True, timeout=120, cwd=TOP) for _ in range(3)]
    assert [end.returncode for end in ends if end.returncode not in (0, 1)] == []
    assert all(re.search(r"^(Configuration is valid|\d problems?)\.$", end.stdout, re.M) for end in ends)


def test_root_stays_root_where_the_data_is_roots(tmp_path):
    before = os.getresuid()
    with effective_user.as_owner(tmp_path):
        assert os.getresuid() == before
    with effective_user.as_owner(tmp_path / "nothing"):
        assert os.getresuid() == before
