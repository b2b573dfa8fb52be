"""Run copies of a daemon in forked processes, replace those that end, and kill those that hang."""

import contextlib
import ctypes
import logging
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType

from cinder_lite.concurrency import clock
from cinder_lite.host import exit, memory, systemd
from cinder_lite.service.daemon import SIGNALS, Daemon

LOG = logging.getLogger(__name__)


class Worker:
    """The parent's record of a worker process."""

    def __init__(self) -> None:
        self.started = self.reported = clock.monotonic()
        self.ready, self.status = False, ""


class Workers:
    """Runs `count` copies of a daemon in processes of their own, each built by `build()` after the fork.

    Workers that end or hang are replaced: the service manager watches this process only.
    """

    def __init__(self, count: int, build: Callable[[], Daemon]):
        self.count, self.build = count, build
        self.children: dict[int, Worker] = {}
        self._stopping, self._ready, self._status = False, False, 0
        self._reports = systemd.Reports()

    def run(self) -> None:
        """Returns by SystemExit after the last worker has ended."""
        # Modules imported by now are shared with the workers; the collector would write to their pages.
        memory.end_imports()
        for number in SIGNALS:
            signal.signal(number, self._forward)
        for _ in range(self.count):
            self._start()
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
        pid = os.fork()
        if pid:
            self.children[pid] = Worker()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            return
        _end_with_parent()
        status: int | str | None = 1
        try:
            for number in SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            self._reports.join()
            with exit.on_misconfiguration():
                self.build().run()
            status = 0
        except SystemExit as ending:
            status = ending.code
        except Exception:  # The outermost of a process: the traceback belongs in the log.
            LOG.exception("this worker ends")
        finally:
            exit.immediately(status)

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
                worker.ready |= "READY" in facts
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
            if status == os.EX_CONFIG:
                self._status = status
                systemd.notify(status=worker.status)
                self._forward(signal.SIGTERM, None)
            else:
                LOG.error("worker %d ended with status %d; starting another", pid, status)
                if clock.monotonic() - worker.started < 1:
                    clock.sleep(1)
                self._start()

    def _kill_hung(self):
        limit = systemd.watchdog_timeout()
        for pid, worker in self.children.items():
            if limit and worker.ready and clock.monotonic() - worker.reported > limit:
                LOG.error("worker %d has not reported for %d s; it is killed", pid, limit)
                os.kill(pid, signal.SIGKILL)

    def _notify(self):
        ready = [worker for worker in self.children.values() if worker.ready]
        status = next((worker.status for worker in self.children.values() if worker.status), "starting")
        facts = {"watchdog": 1, "status": f"{len(ready)} of {self.count} workers ready; one of them: {status}"}
        if len(ready) == self.count and not self._ready:
            facts["ready"] = 1
        self._ready = systemd.notify(**facts) and "ready" in facts or self._ready


def _end_with_parent():
    """Have the kernel send SIGTERM to this process when its parent ends in any way (prctl(2))."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)
