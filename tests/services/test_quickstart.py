"""tools/quickstart: the demonstration succeeds, its data is used again, and no process remains."""

import os
import signal
import socket
import subprocess

import pytest

from cinder_lite.client import local
from tests import product
from tests.functional.client import Client
from tests.services import processes

SCRIPT = os.path.join("tools", "quickstart.py")


@pytest.fixture
def state():
    directory = processes.Directory("quickstart")
    yield os.path.join(directory.path, "state")
    directory.remove()


def run(*words):
    return subprocess.run([product.python(), SCRIPT, *words], capture_output=True, text=True, timeout=300)


def users(path):
    """Processes that have been started for that directory."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline") as file:
                words = file.read()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if path in words:
            found.append((pid, words))
    return found


def test_the_demonstration_holds_over_iscsi(state):
    done = run("--once", "--state", state, "--port", str(processes.free_port()), "--target", "tgt")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("equal") == 3 and "refused, as expected" in done.stdout
    assert "All 4 comparisons held" in done.stdout
    assert users(state) == []


def test_quickstart_serves_until_ctrl_c_and_uses_existing_data(state):
    port = processes.free_port()
    words = ["--state", state, "--port", str(port), "--target", "nbd"]
    log = os.path.join(os.path.dirname(state), "log")
    made = []
    for _ in range(2):
        process = processes.Process("quickstart", [product.python(), os.path.abspath(SCRIPT), *words], log)
        process.start()
        process.wait(lambda: process.tail(1).startswith("Press Ctrl-C to stop"), limit=300)
        client = Client(f"http://127.0.0.1:{port}", local.PROJECT)
        volumes = client("GET", "/volumes/detail?name=mine", expect=200)["volumes"]
        assert [(volume["id"], volume["status"]) for volume in volumes] == made
        if not made:
            # Attached, so that an export is there when it ends, and has to be again when it goes on.
            volume = client.made("volumes", size=1, name="mine")
            attached = {"volume_uuid": volume["id"], "connector": {"host": "here", "ip": "127.0.0.1"}}
            made_of = client("POST", "/attachments", {"attachment": attached}, expect=200)["attachment"]
            made = [(volume["id"], client("GET", f"/volumes/{volume['id']}", expect=200)["volume"]["status"])]
            assert made_of["connection_info"]["driver_volume_type"] == "nbd"
        assert len([words for _, words in users(state) if "qemu-nbd" in words]) == 1
        assert process.stop(signal.SIGINT) == 0, process.tail()
        assert users(state) == []
        os.truncate(log, 0)


def test_a_port_in_use_is_reported(state):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("--once", "--state", state, "--port", str(port), "--target", "nbd")
    assert done.returncode == 1
    assert f"port {port} is not available" in done.stderr and "--port NUMBER" in done.stderr
