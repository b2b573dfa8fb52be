"""Supervise the workers of a daemon: replace those that end, and kill those that hang.

The program that has forked the workers becomes this one (execv), which takes a sixth of its memory. Further workers are
started as that program, with the sockets of the first.
"""

import contextlib
import ctypes
import json
import os
import signal
import socket
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Any, NoReturn

from cinder_lite.concurrency import clock, patching
from cinder_lite.host import systemd

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
#: The variable of a worker's environment with {"sockets": {name: descriptor}, "log": [line]}, as JSON.
VARIABLE = "CINDER_LITE_WORKER"
_PROGRAM = "import sys; sys.path[:0] = [sys.argv[2]]; from cinder_lite.service import supervisor; supervisor.main()"
_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15


def handed(prog: str) -> dict[str, Any] | None:
    """{name: socket} from the supervisor of this worker, and "log": the lines to log for it; None in a process that a
    supervisor has not started."""
    if VARIABLE not in os.environ:
        return None
    ctypes.CDLL(None).prctl(_PR_SET_NAME, prog.encode())
    found = json.loads(os.environ.pop(VARIABLE))
    sockets = {name: socket.socket(fileno=descriptor) for name, descriptor in found["sockets"].items()}
    for sock in sockets.values():
        sock.set_inheritable(False)
    return {"log": found["log"], **sockets}


def become(prog: str, pids: list[int], reports: systemd.Reports, sockets: dict[str, socket.socket]) -> NoReturn:
    """Become the supervisor of these workers, which hands the sockets on. SIGNALS are blocked."""
    descriptors = {name: sock.fileno() for name, sock in sockets.items()}
    for descriptor in (reports.fileno(), *descriptors.values()):
        os.set_inheritable(descriptor, True)
    top = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    state = {"program": [sys.executable, *sys.orig_argv[1:]], "pids": pids, "reports": reports.fileno(),
             "sockets": descriptors}
    os.execv(sys.executable, [sys.executable, "-I", "-S", "-c", _PROGRAM, prog, top, json.dumps(state)])


def main() -> None:
    """The program itself; its arguments are a name, the directory of the package, and the state as JSON."""
    patching.GREEN = False  # it has one thread
    ctypes.CDLL(None).prctl(_PR_SET_NAME, sys.argv[1].encode())
    Supervisor(**json.loads(sys.argv[3])).run()


class Worker:
    """The record of a worker process, which logs `lines` at its start."""

    def __init__(self, lines: Sequence[str] = ()) -> None:
        self.started = self.reported = clock.monotonic()
        self.ready, self.status, self.lines = False, "", frozenset(lines)


class Supervisor:
    """Keeps as many workers running as there are process ids. The service manager watches this process only."""

    def __init__(self, program: list[str], pids: list[int], reports: int, sockets: dict[str, int]):
        self.count, self._program, self._sockets = len(pids), program, sockets
        self.children = {pid: Worker() for pid in pids}
        self._stopping, self._ready, self._status = False, False, 0
        self._reports = systemd.Reports(reports)
        self._log: list[str] = []

    def run(self) -> None:
        """Returns by SystemExit after the last worker has ended."""
        for number in SIGNALS:
            signal.signal(number, self._forward)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        notified = 0.0
        while self.children:
            self._receive(0.1)
            self._replace_ended()
            if clock.monotonic() - notified >= systemd.interval() and not self._stopping:
                notified = clock.monotonic()
                self._kill_hung()
                self._notify()
        sys.exit(self._status)

    def _start(self):
        # Signals are held back until the worker is registered here and has its own handlers there.
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        own = os.getpid()
        pid = os.fork()
        if not pid:
            try:
                begin_worker(own)
                self._reports.join()
                os.environ[VARIABLE] = json.dumps({"sockets": self._sockets, "log": self._log})
                os.execv(self._program[0], self._program)
            finally:
                os._exit(1)
        self.children[pid] = Worker(self._log)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)

    def _forward(self, number: int, _frame: FrameType | None) -> None:
        self._stopping |= number != signal.SIGHUP
        for pid in list(self.children):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def _receive(self, seconds: float) -> None:
        """Process the workers' reports, waiting up to `seconds` for the first."""
        while message := self._reports.next(seconds):
            seconds, (pid, facts) = 0, message
            worker = self.children.get(pid)
            if worker is not None:
                worker.reported = clock.monotonic()
                if "READY" in facts:
                    worker.ready, self._log = True, [line for line in self._log if line not in worker.lines]
                worker.status = facts.get("STATUS", worker.status)
                if "EXTEND_TIMEOUT_USEC" in facts:
                    systemd.notify(stopping=1, extend_timeout_usec=facts["EXTEND_TIMEOUT_USEC"])

    def _replace_ended(self):
        while self.children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            self._receive(0)
            worker, status = self.children.pop(pid, None), os.waitstatus_to_exitcode(status)
            if worker is None or self._stopping:
                continue
            if status == os.EX_CONFIG and not any(other.ready for other in self.children.values()):
                self._status = status
                systemd.notify(status=worker.status)
                self._forward(signal.SIGTERM, None)
            else:
                self._log.append(f"worker {pid} ended with status {status}; this one replaces it")
                if clock.monotonic() - worker.started < 5:
                    clock.sleep(1)
                self._start()

    def _kill_hung(self):
        limit = systemd.watchdog_timeout()
        for pid, worker in self.children.items():
            if limit and worker.ready and clock.monotonic() - worker.reported > limit:
                self._log.append(f"worker {pid} has not reported for {limit:.0f} s; it is killed")
                os.kill(pid, signal.SIGKILL)

    def _notify(self):
        ready = [worker for worker in self.children.values() if worker.ready]
        status = next((worker.status for worker in self.children.values() if worker.status), "starting")
        facts = {"watchdog": 1, "status": f"{len(ready)} of {self.count} workers ready; one of them: {status}"}
        if len(ready) == self.count and not self._ready:
            facts["ready"] = 1
        self._ready = systemd.notify(**facts) and "ready" in facts or self._ready


def begin_worker(parent: int) -> None:
    """In a process that `parent` has just forked with SIGNALS blocked: the kernel sends it SIGTERM when the parent ends
    in any way (prctl(2)), or has ended by now; SIGNALS are unblocked, with the default actions."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
