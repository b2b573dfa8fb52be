"""The end of a daemon: exit status, flushed output, no teardown while threads run."""

import subprocess
import sys

import pytest

from tests.meta.source import TOP

DAEMON = """
import atexit, sys
from cinder_lite import concurrency
concurrency.patch()
from cinder_lite.host import exit
from cinder_lite.service import daemon
@daemon.entry_point("cinder-lite-test")
def main(conf):
    atexit.register(print, "taken apart")
    exit.register(lambda: 1 / 0)
    exit.register(lambda: print("last words"))
    {ending}
sys.argv = ["cinder-lite-test", "--config-file", "{settings}"]
main()
"""


@pytest.mark.parametrize("ending, status", [("return", 0), ("sys.exit(3)", 3), ("sys.exit()", 0)])
def test_the_process_ends_at_once_and_runs_all_exit_functions_although_one_fails(tmp_path, ending, status):
    settings = tmp_path / "cinder.conf"
    settings.write_text(f"[DEFAULT]\nstate_path = {tmp_path}\n")
    done = subprocess.run([sys.executable, "-c", DAEMON.format(ending=ending, settings=settings)], cwd=TOP,
                          capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (status, "last words\n"), done.stderr
    assert "ZeroDivisionError" in done.stderr


STOPPING = """
import os, signal, sys, threading
from cinder_lite import concurrency
concurrency.patch()
from cinder_lite.service import daemon

class Service:
    def __init__(self, name):
        self.name = name

    def start(self):
        if self.name == "last":
            threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGTERM)).start()

    def status(self):
        return self.name

    def stop(self, timeout):
        print("stopped", self.name)
        if self.name == "first":
            raise RuntimeError("cannot stop")

@daemon.entry_point("cinder-lite-test")
def main(conf):
    daemon.Daemon(conf, [Service("first"), Service("last")]).run()
sys.argv = ["cinder-lite-test", "--config-file", "{settings}"]
main()
"""


def test_a_service_that_fails_to_stop_does_not_keep_the_others_from_stopping_in_order(tmp_path):
    settings = tmp_path / "cinder.conf"
    settings.write_text(f"[DEFAULT]\nstate_path = {tmp_path}\n")
    done = subprocess.run([sys.executable, "-c", STOPPING.format(settings=settings)], cwd=TOP,
                          capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "stopped first\nstopped last\n"), done.stderr
    assert "Service failed to stop in order" in done.stderr and "cannot stop" in done.stderr
