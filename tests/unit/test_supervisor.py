"""A worker ends with its supervisor, however early that ends."""

import signal
import subprocess
import sys

#: Forks a child that forks a worker and ends before the worker asks for the signal; prints the worker's status.
ENDS_EARLY = """
import ctypes, os, signal, sys
from cinder_lite.service import supervisor
PR_SET_CHILD_SUBREAPER = 36
ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
signal.signal(signal.SIGTERM, lambda *_: None)
signal.pthread_sigmask(signal.SIG_BLOCK, supervisor.SIGNALS)
parent = os.fork()
if not parent:
    own = os.getpid()
    worker = os.fork()
    if worker:
        os._exit(0)
    while sys.argv[1] == "early" and os.getppid() == own:
        os.sched_yield()
    supervisor.begin_worker(own if sys.argv[1] == "early" else os.getppid())
    os._exit(7)
os.waitpid(parent, 0)
print(os.waitstatus_to_exitcode(os.wait()[1]))
"""


def status(how):
    return int(subprocess.run([sys.executable, "-c", ENDS_EARLY, how], capture_output=True, text=True, check=True,
                              timeout=120).stdout)


def test_a_worker_whose_supervisor_has_ended_already_ends():
    assert status("early") == -signal.SIGTERM
