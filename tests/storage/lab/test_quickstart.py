"""tools/quickstart with device-mapper: the demonstration succeeds on LVM, and no device remains."""

import os
import subprocess
import sys

import pytest

from tests.services import processes
from tests.storage import lvm
from tools import loop_group


@pytest.fixture
def state(tmp_path):
    """A directory on a disk of the lab: its file systems are in memory."""
    lvm.run("mkfs.ext4", "-q", "-F", lvm.disks()[0])
    lvm.run("mount", lvm.disks()[0], str(tmp_path))
    yield str(tmp_path / "state")
    lvm.run("umount", str(tmp_path))


def test_the_demonstration_holds_on_a_group_of_its_own(state):
    words = ["--once", "--state", state, "--port", str(processes.free_port()), "--target", "tgt"]
    done = subprocess.run([sys.executable, "tools/quickstart.py", *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Connect volume group quickstart-" in done.stdout and "All 4 comparisons held" in done.stdout
    assert nothing_is_connected()

    other = subprocess.run([sys.executable, "tools/quickstart.py", *words, "--driver", "file"], capture_output=True,
                           text=True)
    assert other.returncode == 1 and "belong to the driver lvm; use another directory" in other.stderr

    # The next run finds its volumes again, also when the one before was killed.
    path = os.path.join(state, "volume-group")
    for _ in range(2):
        loop_group.connect(path)
        assert any(name.startswith("volume-") for name in lvm.lvs(loop_group.name(path)))
    loop_group.disconnect(path)
    assert nothing_is_connected()


def nothing_is_connected():
    return lvm.run("losetup", "--list", "--noheadings") == "" and "quickstart" not in lvm.run("dmsetup", "ls")
