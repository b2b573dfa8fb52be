"""Starts and stops a private tgtd, for hosts where tgtd does not run as a service."""

import contextlib
import os
import signal
import subprocess

from cinder_lite.concurrency import clock, commands, http_server
from cinder_lite.volume.targets import base, tgtadm

#: Seconds that tgtd may take to start listening.
START = 20


class TgtDaemon:
    """A tgtd that listens on `portal` ("address:port") and is controlled through `control_port`.

    It continues to run when the service is killed, so that attached volumes stay usable; the next `start` reuses it.
    Its messages are appended to the file `log`, if given.
    """

    def __init__(self, portal: str, control_port: int, log: str | None = None) -> None:
        self.portal, self.control_port, self.log = portal, control_port, log
        self._child = None

    @property
    def argv(self) -> list[str]:
        return ["tgtd", "-f", "--iscsi", f"portal={self.portal}", "-C", str(self.control_port)]

    def start(self) -> None:
        """Start tgtd unless it runs, and wait until it listens. Raises TargetError with the reason if it does not."""
        if self._pid() is None:
            if self._listening():
                raise base.TargetError(f"another tgtd uses control port {self.control_port}; stop it, use it, or "
                                       "set tgt_control_port")
            self._probe()
            self._launch()
        with clock.deadline(START) as left:
            while self.portal not in self._listening():
                if not self.alive() or not left():
                    self.stop()
                    raise base.TargetError(f"tgtd does not start on {self.portal}, control port {self.control_port}; "
                                           f"is one of them used by another program?{self._last_messages()}")
                clock.sleep(0.02)

    def alive(self) -> bool:
        return self._pid() is not None

    def stop(self) -> None:
        """Kill tgtd with SIGKILL: it ignores other signals, and ends on request only if it exports nothing.

        Completed writes are in the kernel already.
        """
        pid = self._pid()
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        while self.alive():
            clock.sleep(0.02)

    def _probe(self):
        """Raise TargetError if the portal is in use; tgtd itself would continue without it."""
        address, _, port = self.portal.rpartition(":")
        try:
            http_server.listen(address.strip("[]"), int(port)).close()
        except OSError as error:
            raise base.TargetError(f"tgtd cannot listen on {self.portal}: {error.strerror}") from error

    def _launch(self):
        try:
            with open(self.log or os.devnull, "a") as log:
                self._child = commands.start_command(self.argv, output=log)
        except FileNotFoundError:
            raise base.TargetError("tgtd is missing; install the package tgt") from None

    def _listening(self):
        try:
            arguments = ["tgtadm", "--control-port", str(self.control_port), *tgtadm.SHOW_PORTALS]
            return tgtadm.portals(commands.run_command(arguments, timeout=5))
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
            return set()

    def _pid(self):
        """The pid of the process with exactly these arguments, started by this object or in an earlier run."""
        if self._child is not None:
            return self._child.pid if self._child.poll() is None else None
        wanted = "\0".join(self.argv).encode() + b"\0"
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    if file.read() == wanted:
                        return int(pid)
        return None

    def _last_messages(self):
        if not self.log:
            return ""
        with open(self.log) as file:
            return " Its last messages: " + "; ".join(file.read().splitlines()[-3:])
