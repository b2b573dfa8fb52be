"""Calls of librbd in a process of their own, which is started when needed and killed when the cluster hangs.

All is for native threads. A call that takes long is let go on for as long as the cluster gives signs of life; when it
gives none, the process is killed, all calls under way fail with that reason, and the next call starts another process.
That one first fences the former's address, so that nothing of what was given up happens later. A process that ends by
itself, as librbd can, is started anew at once, and what it was doing is done again: all calls can be repeated.
"""

import dataclasses
import importlib.util
import os
import signal
import sys

import cinder_lite
from cinder_lite import concurrency
from cinder_lite.volume.drivers import base
from cinder_lite.volume.drivers.rbd import protocol

CHILD = "cinder_lite.volume.drivers.rbd.child"
#: Where Debian's python3-rbd is, which an environment of its own does not see.
SYSTEM_PYTHON = "/usr/bin/python3"
#: Seconds for a sign of life, at most.
SIGN_OF_LIFE = 10
#: How often a call is made whose process ended during it: most were only bystanders.
ATTEMPTS = 4
KINDS = {"busy": base.InUse, "down": base.BackendDown}


class Ended(Exception):
    """The process went away during a call; the text says how."""


class Hung(base.BackendDown):
    """The cluster does not answer."""


class Stillborn(base.BackendDown):
    """The process ended before it had reached the cluster."""


@dataclasses.dataclass(frozen=True)
class Cluster:
    """How the process reaches the cluster. Times in seconds; `owner` is whose entries of the journal are its own."""

    conf: str
    cluster: str
    user: str | None
    pool: str
    timeout: int
    connect_timeout: int
    owner: str = ""

    def setup(self, fence):
        return {"conf": self.conf, "cluster": self.cluster, "user": self.user, "pool": self.pool, "owner": self.owner,
                "connect_timeout": self.connect_limit, "fence": fence,
                "mon_timeout": self.connect_timeout if self.connect_timeout > 0 else None}

    @property
    def connect_limit(self):
        return self.connect_timeout if self.connect_timeout > 0 else self.timeout

    @property
    def place(self):
        return f"the Ceph cluster of {self.conf or f'/etc/ceph/{self.cluster}.conf'}"


def python():
    """The interpreter for the process: this one where it has librbd, else the system's."""
    return sys.executable if importlib.util.find_spec("rbd") else SYSTEM_PYTHON


class Child:
    """One process and the connections to it. `ready` is set once it can be used or `failure` says why it cannot."""

    def __init__(self, cluster):
        self.cluster, self.address, self.failure = cluster, None, None
        self.ready = concurrency.native("threading").Event()
        self._idle, self._control, self._popen = [], None, None
        self._lock = concurrency.native("threading").Lock()

    def start(self, fence):
        """Start it and wait until it has reached the cluster."""
        top = os.path.dirname(os.path.dirname(os.path.abspath(cinder_lite.__file__)))
        try:
            self._control, theirs = concurrency.native("socket").socketpair()
            with theirs:
                self._popen = concurrency.native("subprocess").Popen(
                    [python(), "-m", CHILD, str(theirs.fileno())], pass_fds=[theirs.fileno()], cwd="/",
                    env={**os.environ, "PYTHONPATH": top}, start_new_session=True)
            self._control.settimeout(self.cluster.connect_limit + SIGN_OF_LIFE)
            protocol.send(self._control, self.cluster.setup(fence))
            answer, _ = protocol.receive(self._control)
            if "error" in answer:
                raise base.BackendDown(answer["error"])
            self.address = answer["result"]
        except TimeoutError:
            self.failure = Hung(f"{self.cluster.place} does not answer: no connection within "
                                f"{self.cluster.connect_limit} s")
        except (EOFError, OSError) as error:
            self.failure = Stillborn(f"the process with librbd cannot be started: {self._fate() or error}")
        except base.BackendDown as failure:
            self.failure = failure
        finally:
            if self.failure is not None:
                self.end()
            self.ready.set()

    @property
    def pid(self):
        return self._popen.pid if self._popen is not None else None

    def alive(self):
        return self.failure is None and self._popen.poll() is None

    def _fate(self):
        if self._popen is None:
            return None
        status = self._reaped()
        return f"it was ended by {signal.Signals(-status).name}" if status < 0 else f"it ended with status {status}"

    def _reaped(self):
        # wait() takes a lock that is not for native threads where the standard library is patched; poll() does not.
        while (status := self._popen.poll()) is None:
            concurrency.sleep_in_thread(0.005)
        return status

    def end(self):
        """Kill it and wait until it is gone; connections in use find out by themselves."""
        if self._popen is not None:
            self._popen.kill()
            self._reaped()
        with self._lock:
            if self._control is not None:
                self._control.close()
            while self._idle:
                self._idle.pop().close()

    def _connection(self):
        with self._lock:
            if self._idle:
                return self._idle.pop()
            socket = concurrency.native("socket")
            ours, theirs = socket.socketpair()
            with theirs:
                socket.send_fds(self._control, [b"+"], [theirs.fileno()])
            return ours

    def ask(self, name, arguments, payload, timeout, patience):
        """The (header, payload) of the answer. After `timeout` seconds without one `patience()` raises, or waiting goes on."""
        connection = None
        try:
            connection = self._connection()
            protocol.send(connection, {"call": name, "arguments": arguments}, payload)
            self._wait(connection, timeout, patience)
            answer, data = protocol.receive(connection)
        except BaseException as error:
            if connection is not None:
                connection.close()
            if isinstance(error, EOFError | OSError):
                raise Ended(self._fate() if self._popen.poll() is not None else str(error)) from error
            raise
        with self._lock:
            self._idle.append(connection)
        return answer, data

    @staticmethod
    def _wait(connection, timeout, patience):
        waited, step = 0, min(timeout, 5)
        connection.settimeout(step)
        while True:
            try:
                connection.recv(1, concurrency.native("socket").MSG_PEEK)
                return
            except TimeoutError:
                waited += step
                if waited >= timeout:
                    patience()


class Librbd:
    """The calls of one backend, or of one reader or writer. May be used by any number of native threads."""

    def __init__(self, cluster):
        self.cluster = cluster
        self._lock = concurrency.native("threading").Lock()
        self._child, self._fence = None, []

    @property
    def pid(self):
        """The process that is at work, None before the first call."""
        return self._child.pid if self._child is not None else None

    def call(self, name, /, data=b"", attempts=ATTEMPTS, **arguments):
        """What the call returns, bytes or plain data. Raises DriverError and its kinds."""
        for left in reversed(range(attempts)):
            try:
                child = self._living()
            except Stillborn:
                if left == 0:
                    raise
                continue
            try:
                answer, payload = child.ask(name, arguments, data, self.cluster.timeout, lambda: self._look(child))
            except Ended as ended:
                self._bury(child)
                if child.failure is not None:
                    raise child.failure from ended
                if left == 0:
                    raise base.DriverError(f"the process with librbd ended during '{name}': {ended}") from ended
                continue
            if answer.get("kind") == "fenced" and left > 0:
                self._bury(child)
                continue
            if "error" in answer:
                raise KINDS.get(answer["kind"], base.DriverError)(answer["error"])
            return bytes(payload) if payload else answer["result"]
        raise AssertionError("the last attempt returns or raises")

    def _living(self):
        """The process, once it is ready. What keeps it from being started is told to all that wait for it."""
        with self._lock:
            child, mine = self._child, False
            if child is None or (child.ready.is_set() and not child.alive()):
                if child is not None:
                    self._replace(child)
                child, mine = Child(self.cluster), True
                self._child, fence = child, list(self._fence)
        if mine:
            child.start(fence)
            with self._lock:
                if child.failure is None:
                    self._fence = [address for address in self._fence if address not in fence]
        child.ready.wait()
        if child.failure is not None:
            with self._lock:
                self._replace(child)
            raise child.failure
        return child

    def _replace(self, child):
        """Let the next call start another process, which fences this one."""
        if child.address is not None:
            self._fence.append(child.address)
            child.address = None
        if self._child is child:
            self._child = None

    def _bury(self, child):
        """End a process that has ended already or is of no use any more."""
        with self._lock:
            self._replace(child)
        child.end()

    def _look(self, child):
        """Return when the cluster gives a sign of life; else the process, and all its calls, end."""
        child.ask("probe", {}, b"", min(self.cluster.timeout, SIGN_OF_LIFE), lambda: self._give_up(child))

    def _give_up(self, child):
        if child.failure is None:
            child.failure = Hung(f"{self.cluster.place} does not answer: no sign of life within "
                                 f"{self.cluster.timeout} s")
        self._bury(child)
        raise Ended("it was killed because the cluster does not answer")

    def close(self):
        """End the process."""
        with self._lock:
            child, self._child = self._child, None
        if child is not None:
            child.ready.wait()
            child.end()
