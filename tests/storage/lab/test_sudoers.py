"""The sudoers line of docs/lvm.md: the user of the service may start the privileged helper, and nothing else."""

import os
import pwd
import re
import socket
import subprocess
import sys

import pytest

from cinder_lite.host import privsep
from tests.meta.source import TOP
from tests.storage import lvm

#: Any account that is there, and is not root's.
USER = "daemon"
RULES = "/etc/sudoers.d"


@pytest.fixture(scope="module", autouse=True)
def rule():
    """The page's line is in force, for that user and the program of this environment."""
    line = re.search(r"^ +(cinder ALL = .*)$", (TOP / "docs/lvm.md").read_text(), re.MULTILINE)[1]
    lvm.run("mount", "-t", "tmpfs", "-o", "mode=755", "rules", RULES)
    with open(f"{RULES}/cinder-lite", "w") as file:
        file.write(line.replace("cinder ALL", f"{USER} ALL").replace("/opt/cinder-lite/bin",
                                                                     os.path.dirname(sys.executable)) + "\n")
    os.chmod(file.name, 0o440)
    lvm.run("visudo", "--check", "--strict", "--file", file.name)
    yield
    lvm.run("umount", RULES)


def test_the_service_starts_roots_process(tmp_path):
    path, user = str(tmp_path / "privsep.sock"), pwd.getpwnam(USER)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()
        done = subprocess.run(["sudo", "-n", *privsep.storage.helper_command(path)], cwd="/",
                              user=user.pw_uid, group=user.pw_gid, extra_groups=[])
        assert done.returncode == 0
        # It came to the socket before it said so, and ends with the connection.
        listening.setblocking(False)
        listening.accept()[0].close()


HELPER, *WORDS = privsep.storage.helper_command("/tmp/here/privsep.sock")


@pytest.mark.parametrize("words", [
    ["--privsep_context", "os_brick.privileged.default", *WORDS[2:]],
    [*WORDS, "--privsep_context", "os_brick.privileged.default"],
    [*WORDS[:2], "--config-file", "/tmp/file", *WORDS[2:]], [*WORDS[:3],
                                                             "/tmp/here --log-file /etc/passwd --x /privsep.sock"],
    WORDS[:2]])
def test_nothing_else_is_allowed(words):
    assert allowed(WORDS)
    assert not allowed(words)


def allowed(words):
    return subprocess.run(["sudo", "-l", "-U", USER, HELPER, *words], capture_output=True).returncode == 0
