"""The systemd units are valid, start the installed programs, and have few privileges."""

import os
import re
import shutil
import subprocess

import pytest

from tests.meta import source

UNITS = source.TOP / "etc/systemd"
SERVICES = sorted(path.name for path in UNITS.glob("*.service"))
#: What `systemd-analyze security` may give at most, of 10.
EXPOSURE = 4.0


def analyze(*arguments, **options):
    return subprocess.run(["systemd-analyze", "--no-pager", *arguments], capture_output=True, text=True, timeout=60,
                          **options)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A root directory in which they are installed."""
    root = tmp_path_factory.mktemp("root")
    shutil.copytree(UNITS, root / "etc/systemd/system")
    return root


@pytest.mark.parametrize("name", SERVICES)
def test_exposure(root, name):
    done = analyze("security", "--offline=true", f"--root={root}", name)
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert found and float(found[1]) <= EXPOSURE, done.stdout + done.stderr


def test_nothing_in_them_is_unknown_to_systemd():
    # What is not installed here is complained of, too.
    done = analyze("verify", *(path.name for path in UNITS.iterdir() if path.is_file()),
                   env={**os.environ, "SYSTEMD_UNIT_PATH": f"{UNITS}:"})
    lines = [line for line in done.stderr.splitlines() if not re.search(r"is not executable: No such file", line)]
    assert [line for line in lines if "cinder-lite" in line] == []


def test_what_they_start_is_installed():
    commands = set(re.findall(r"^    (cinder-lite\S*) = ", (source.TOP / "setup.cfg").read_text(), re.M))
    started = {command for path in UNITS.glob("*.service")
               for command in re.findall(r"^ExecStart=/opt/cinder-lite/bin/(\S+)", path.read_text(), re.M)}
    assert started and started <= commands
