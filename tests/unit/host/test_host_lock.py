"""One holder of a service name at a time, whichever way processes come and go."""

import fcntl
import os
import signal
import subprocess
import sys
import threading

import fasteners
import pytest

from cinder_lite import concurrency
from cinder_lite.host.host_lock import HostLock

#: Takes the lock, starts a process that outlives it, and stays.
HOLDER = """
import subprocess, sys, time
from cinder_lite.host.host_lock import HostLock
lock = HostLock(sys.argv[1], "volume", "here")
lock.acquire()
print(subprocess.Popen(["sleep", "600"], stdout=subprocess.DEVNULL).pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def lock(tmp_path):
    lock = HostLock(str(tmp_path), "volume", "here")
    yield lock
    lock.release()


def is_free(path):
    """Whether another process of any release could take the lock of the file."""
    with open(path) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def test_it_is_held_until_it_is_released(lock):
    lock.acquire()
    lock.acquire()
    assert not is_free(lock.path)
    lock.release()
    assert is_free(lock.path)


def test_a_second_holder_in_the_same_process_waits(tmp_path, lock):
    second, held = HostLock(str(tmp_path), "volume", "here"), threading.Event()
    lock.acquire()
    concurrency.spawn(lambda: (second.acquire(), held.set()))
    assert not held.wait(0.5)  # longer than it takes to try again, in most runs
    lock.release()
    assert held.wait(60)
    second.release()


def test_opening_and_closing_the_file_does_not_release_it(lock):
    lock.acquire()
    open(lock.path).close()
    assert not is_free(lock.path)


def test_a_killed_holder_frees_it_though_its_child_lives(tmp_path, lock):
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, tmp_path], stdout=subprocess.PIPE, text=True)
    child = int(holder.stdout.readline())
    try:
        assert not is_free(lock.path)
        holder.kill()
        holder.wait(60)
        os.kill(child, 0)  # it lives
        lock.acquire()
        assert not is_free(lock.path)
    finally:
        os.kill(child, signal.SIGKILL)
        holder.stdout.close()


def test_the_lock_of_fasteners_would_not_do(lock):
    """When this fails, fasteners locks otherwise than the module's docstring has it: use it then."""
    lock.acquire()
    first, second = fasteners.InterProcessLock(lock.path), fasteners.InterProcessLock(lock.path)
    assert first.acquire(blocking=False) and second.acquire(blocking=False)
    first.release()
    second.release()
