"""A job's fence: writes are refused when the lease may have ended, and a process stopped within one is killed."""

import os
import signal
import subprocess
import sys

import pytest

from cinder_lite import errors
from cinder_lite.concurrency import clock
from cinder_lite.jobs.fence import KILL, STOP, Fence
from tests.services import processes

#: Seconds of a lease that does not end within a test.
LONG = 3600.0
#: Writes in a file "in" within the fence and "out" after it, then waits; its lease has so many seconds left.
WRITER = """
import os, sys, time
from cinder_lite.concurrency import clock
from cinder_lite.jobs.fence import KILL, Fence
how, seconds, path = sys.argv[1], float(sys.argv[2]), sys.argv[3]
fence = Fence("1", 1, 60.0, clock.since_boot() - 60 * KILL + seconds)
fence.check = lambda: None  # stopped between the check and the write
def note(text):
    with open(path, "a") as file:
        file.write(text)
fence.__enter__()
note("in")
if how != "within":
    fence.__exit__()
    note("out")
if how == "confirmed":
    fence.__enter__()
    fence.confirm(60.0, clock.since_boot())
if how == "hanging":
    fence.__enter__()
    fence.supersede()
    fence.supersede()
print("ready", flush=True)
sys.stdin.readline()
note("later")
"""


@pytest.fixture
def fence():
    one = Fence("1", 2, LONG, clock.since_boot())
    yield one
    one.close()


def test_the_owner_writes(fence):
    with fence, fence:
        fence.check()
    assert not fence.is_lost()


@pytest.mark.parametrize("end", ["superseded", "not renewed"])
def test_no_write_begins_after_the_lease(end):
    begun = clock.since_boot() - (LONG * STOP if end == "not renewed" else 0)
    fence = Fence("1", 2, LONG, begun)
    if end == "superseded":
        fence.supersede()
    assert fence.is_lost()
    for call in (fence.check, fence.__enter__):
        with pytest.raises(errors.Stale, match="job 1 .*attempt 2"):
            call()


def test_a_renewed_lease_counts_from_what_was_left_of_it():
    fence = Fence("1", 2, LONG, clock.since_boot() - LONG)
    fence.confirm(LONG, clock.since_boot())
    assert not fence.is_lost()
    fence.confirm(LONG * (1 - STOP), clock.since_boot())
    assert fence.is_lost()
    # A clock that was set back does not make it longer.
    fence.confirm(10 * LONG, clock.since_boot() - LONG)
    assert fence.is_lost()


def test_a_write_stops_before_a_stopped_process_is_killed_and_that_before_others_take_over():
    assert 2 / 3 < STOP < KILL < 1


def running(tmp_path, how, seconds=1.0):
    path = tmp_path / "marks"
    writer = subprocess.Popen([sys.executable, "-c", WRITER, how, str(seconds), path], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE)
    assert writer.stdout.readline() == b"ready\n"
    return writer, path


def state(pid):
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0]


def test_a_process_that_is_stopped_within_a_write_does_not_complete_it(tmp_path):
    writer, path = running(tmp_path, "within")
    with writer:
        os.kill(writer.pid, signal.SIGSTOP)
        processes.until(lambda: state(writer.pid) == "Z", what="the kernel to kill it")
        os.kill(writer.pid, signal.SIGCONT)
    assert (writer.returncode, path.read_text()) == (-signal.SIGKILL, "in")


@pytest.mark.parametrize("how", ["after", "confirmed", "hanging"])
def test_no_other_process_is_killed(tmp_path, how):
    writer, path = running(tmp_path, how, 0.2)
    with writer:
        end = clock.since_boot() + 0.5
        processes.until(lambda: clock.since_boot() > end, what="the end of the first lease")
        writer.communicate(b"go on\n")
    assert (writer.returncode, path.read_text()) == (0, "inoutlater")
