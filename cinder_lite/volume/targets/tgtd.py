"""A tgtd of our own: started, watched and ended, for machines where no tgtd runs as a service."""

import contextlib
import os
import signal
import subprocess
import time

from cinder_lite import concurrency
from cinder_lite.concurrency import commands, http_server
from cinder_lite.volume.targets import base, tgtadm

#: Seconds within which tgtd begins to listen.
START = 20


class TgtDaemon:
    """A tgtd that listens on `portal` ("address:port") and is asked through `control_port`.

    It outlives a service that is killed, so that attached volumes stay usable; the next `start` takes it over. Its
    messages are appended to the file `log`, when given.
    """

    def __init__(self, portal, control_port, log=None):
        self.portal, self.control_port, self.log = portal, control_port, log
        self._child = None

    @property
    def argv(self):
        return ["tgtd", "-f", "--iscsi", f"portal={self.portal}", "-C", str(self.control_port)]

    def start(self):
        """Start it, unless it runs, and wait until it listens; raises TargetError with the reason when it does not."""
        if self._pid() is None:
            if self._listening():
                raise base.TargetError(f"another tgtd answers on control port {self.control_port}; end it, use it, or "
                                       "set tgt_control_port")
            self._probe()
            self._launch()
        with concurrency.deadline(START) as left:
            while self.portal not in self._listening():
                if not self.alive() or not left():
                    self.stop()
                    raise base.TargetError(f"tgtd does not start on {self.portal}, control port {self.control_port}; "
                                           f"is one of them used by another program?{self._said()}")
                time.sleep(0.02)

    def alive(self):
        return self._pid() is not None

    def stop(self):
        """End it, with SIGKILL: tgtd ignores other signals, and ends on request only when it exports nothing.

        What initiators were told is written is with the kernel already.
        """
        pid = self._pid()
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        while self.alive():
            time.sleep(0.02)

    def _probe(self):
        """Find out whether the portal is free: tgtd itself goes on without it when it is not."""
        address, _, port = self.portal.rpartition(":")
        try:
            http_server.listen(address.strip("[]"), int(port)).close()
        except OSError as error:
            raise base.TargetError(f"tgtd cannot listen on {self.portal}: {error.strerror}") from error

    def _launch(self):
        try:
            with open(self.log or os.devnull, "a") as log:
                # A session of its own: Ctrl-C at the terminal ends the service, which then ends tgtd.
                self._child = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                               start_new_session=True)
        except FileNotFoundError:
            raise base.TargetError("tgtd is missing; install the package tgt") from None

    def _listening(self):
        try:
            arguments = ["tgtadm", "--control-port", str(self.control_port), *tgtadm.SHOW_PORTALS]
            return tgtadm.portals(commands.run_command(arguments, timeout=5))
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
            return set()

    def _pid(self):
        """The process that was started with exactly these arguments, by this object or by one of an earlier run."""
        if self._child is not None:
            return self._child.pid if self._child.poll() is None else None
        wanted = "\0".join(self.argv).encode() + b"\0"
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    if file.read() == wanted:
                        return int(pid)
        return None

    def _said(self):
        if not self.log:
            return ""
        with open(self.log) as file:
            return " It said: " + "; ".join(file.read().splitlines()[-3:])
