"""Processes of tests: directories, readiness, end."""

import contextlib
import functools
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from tests.services import keeper


class NotReady(Exception):
    """The condition was not reached in time, or the process has ended."""


def until(condition, limit=300, what="the condition", every=0.02):
    """Call `condition` until it returns something true, and return that; NotReady after `limit` seconds."""
    end = time.monotonic() + limit
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise NotReady(f"{what} did not come about in {limit} s")
        time.sleep(every)


def free_port():
    """Return a free TCP port of the loopback.

    Below the ports that the kernel gives to outgoing connections, which might take it while its server restarts.
    """
    while True:
        port = random.SystemRandom().randrange(20000, 32000)
        with socket.socket() as sock, contextlib.suppress(OSError):
            sock.bind(("127.0.0.1", port))
            return port


def listens(port, address="127.0.0.1"):
    """Whether something accepts connections on the port."""
    try:
        socket.create_connection((address, port), timeout=5).close()
    except OSError:
        return False
    return True


@functools.cache
def _keeper():
    argv = [sys.executable, "-S", keeper.__file__]
    return subprocess.Popen(argv, stdin=subprocess.PIPE, start_new_session=True)


def _keep(sign, what):
    pipe = _keeper().stdin
    pipe.write(f"{sign}{what}\n".encode())
    pipe.flush()


class Directory:
    """A temporary directory of the test run; other users may traverse but not list it."""

    def __init__(self, name):
        self.path = tempfile.mkdtemp(prefix=f"cinder-lite-{name}-")
        _keep("+", self.path)
        os.chmod(self.path, 0o711)

    def make(self, name, text=None, owner=None):
        """Make a directory, or a file when `text` is given, that only its owner can read. Returns its path."""
        path = os.path.join(self.path, name)
        if text is None:
            os.mkdir(path, 0o700)
        else:
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                file.write(text)
        if owner and os.getuid() == 0:
            shutil.chown(path, owner)
        return path

    def remove(self):
        shutil.rmtree(self.path, ignore_errors=True)
        _keep("-", self.path)


class Process:
    """A process with its output in a log file."""

    def __init__(self, name, argv, log, env=None, user=None, inherits=()):
        """`user` is the user of the process if run as root; `env` extends the environment; `inherits` are
        descriptors."""
        self.name, self.argv, self.log = name, argv, log
        self.env = {**os.environ, **(env or {})}
        self._user, self._inherits = {}, inherits
        if user and os.getuid() == 0:
            account = pwd.getpwnam(user)
            self._user = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        self._popen = None

    @property
    def pid(self):
        return self._popen.pid

    @property
    def running(self):
        return self._popen is not None and self._popen.poll() is None

    @property
    def status(self):
        """How it ended, None while it runs: its exit status, or the signal's number with a minus."""
        return self._popen.poll()

    def start(self):
        """Start it; its being ready is waited for with `wait`."""
        with open(self.log, "ab") as log:
            self._popen = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.env,
                                           cwd="/", start_new_session=True, pass_fds=self._inherits, **self._user)
        _keep("+", self.pid)

    def wait(self, condition, limit=300):
        """Wait until the condition is true. Raises NotReady with the end of the log otherwise."""
        def holds():
            if not self.running:
                raise NotReady(f"{self.name} ended with status {self._popen.returncode}:\n{self.tail()}")
            return condition()

        try:
            return until(holds, limit, f"{self.name} being ready")
        except NotReady as error:
            raise NotReady(f"{error}\n{self.tail()}") from None

    def send(self, number):
        self._popen.send_signal(number)

    def stop(self, number=signal.SIGTERM, limit=300):
        """Ask it to end, and wait; kill it when it has not ended after `limit` seconds. Returns its exit status."""
        if self.running:
            self.send(number)
        return self.wait_end(limit)

    def wait_end(self, limit=300):
        """Wait until it ends by itself; kill it when it has not after `limit` seconds. Returns its exit status."""
        if self.running:
            try:
                self._popen.wait(limit)
            except subprocess.TimeoutExpired:
                self.kill()
        return self._ended()

    def kill(self):
        """SIGKILL it and all that it started, and wait until they are gone."""
        if self.running and not keeper.kill(self.pid):
            raise NotReady(f"{self.name} still runs after SIGKILL")
        return self._ended()

    def _ended(self):
        if self._popen is None:
            return None
        status = self._popen.wait()
        _keep("-", self.pid)
        return status

    def tail(self, lines=60):
        """The last lines of its log."""
        try:
            with open(self.log, errors="replace") as file:
                return "".join(file.readlines()[-lines:])
        except FileNotFoundError:
            return ""
