"""Calls librbd in a separate process, which is started on demand and killed when the cluster hangs.

It is used from native threads. A long call continues as long as the cluster responds; if it does not, the process is
killed, all running calls fail with that reason, and the next call starts another process. That one first fences the
former's address, so that the failed calls have no effect later. If the process ends by itself, as librbd can abort, it
is started again at once and its calls are repeated: all calls are idempotent.
"""

import dataclasses
import importlib.util
import os
import signal
import sys
import typing
from collections.abc import Callable, Mapping, Sequence

import cinder_lite
from cinder_lite import concurrency
from cinder_lite.concurrency import clock, commands, native_threads
from cinder_lite.volume.drivers import base
from cinder_lite.volume.drivers.rbd import protocol

CHILD = "cinder_lite.volume.drivers.rbd.child"
#: The interpreter with Debian's python3-rbd, which virtual environments lack.
SYSTEM_PYTHON = "/usr/bin/python3"
#: Timeout in seconds for a probe of the cluster.
PROBE_TIMEOUT = 10
#: Attempts at a call whose process ended meanwhile; most often another call was the cause.
ATTEMPTS = 4
KINDS = {"busy": base.InUse, "down": base.BackendDown}


class Ended(Exception):
    """The process ended during a call; the text says how."""


class Hung(base.BackendDown):
    """The cluster does not answer."""


class StartFailed(base.BackendDown):
    """The process ended before it was connected to the cluster."""


@dataclasses.dataclass(frozen=True)
class Cluster:
    """The connection settings of the cluster. Times are in seconds; `owner` marks this backend's journal entries."""

    conf: str
    cluster: str
    user: str | None
    pool: str
    timeout: int
    connect_timeout: int
    owner: str = ""
    #: Whether services on other hosts change the pool's images too.
    shared: bool = False

    def setup(self, fence: Sequence[str]) -> dict:
        return {"conf": self.conf, "cluster": self.cluster, "user": self.user, "pool": self.pool, "owner": self.owner,
                "shared": self.shared, "connect_timeout": self.connect_limit, "fence": fence,
                "mon_timeout": self.connect_timeout if self.connect_timeout > 0 else None}

    @property
    def connect_limit(self) -> int:
        return self.connect_timeout if self.connect_timeout > 0 else self.timeout

    @property
    def place(self) -> str:
        return f"the Ceph cluster of {self.conf or f'/etc/ceph/{self.cluster}.conf'}"


def python() -> str:
    """The interpreter for the process: the present one if it has librbd, else the system's."""
    return sys.executable if importlib.util.find_spec("rbd") else SYSTEM_PYTHON


class Child:
    """One process and the connections to it. `ready` is set when it is usable, or `failure` is the reason why not."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.address: str | None = None
        self.failure: base.BackendDown | None = None
        self.ready = native_threads.event()
        self._idle: list[typing.Any] = []
        self._control: typing.Any = None
        self._popen: typing.Any = None
        self._lock = native_threads.lock()

    def start(self, fence: Sequence[str]) -> None:
        """Start the process and wait until it is connected to the cluster."""
        top = os.path.dirname(os.path.dirname(os.path.abspath(cinder_lite.__file__)))
        try:
            self._control, theirs = concurrency.native("socket").socketpair()
            with theirs:
                self._popen = commands.start_command(
                    [python(), "-m", CHILD, str(theirs.fileno())], pass_fds=[theirs.fileno()], cwd="/",
                    env={"PYTHONPATH": top})
            self._control.settimeout(self.cluster.connect_limit + PROBE_TIMEOUT)
            protocol.send(self._control, self.cluster.setup(fence))
            answer, _ = protocol.receive(self._control)
            if "error" in answer:
                raise base.BackendDown(answer["error"])
            self.address = answer["result"]
        except TimeoutError:
            self.failure = Hung(f"{self.cluster.place} does not answer: no connection within "
                                f"{self.cluster.connect_limit} s")
        except (EOFError, OSError) as error:
            self.failure = StartFailed(f"the librbd process cannot be started: {self._ending() or error}")
        except base.BackendDown as failure:
            self.failure = failure
        finally:
            if self.failure is not None:
                self.end()
            self.ready.set()

    @property
    def pid(self) -> int | None:
        return self._popen.pid if self._popen is not None else None

    def alive(self) -> bool:
        return self.failure is None and self._popen.poll() is None

    def _ending(self):
        if self._popen is None:
            return None
        status = self._reaped()
        return f"it was ended by {signal.Signals(-status).name}" if status < 0 else f"it ended with status {status}"

    def _reaped(self):
        # wait() takes a lock that is unsafe for native threads if the standard library is patched; poll() does not.
        while (status := self._popen.poll()) is None:
            clock.sleep_in_thread(0.005)
        return status

    def end(self) -> None:
        """Kill the process and wait until it has ended; connections in use then fail."""
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

    def ask(self, name: str, arguments: Mapping, payload: bytes, timeout: float,
            check: Callable[[], object]) -> tuple[dict, bytearray]:
        """The (header, payload) of the reply. `check()` is called after `timeout` seconds without it, and may raise.
        """
        connection = None
        try:
            connection = self._connection()
            protocol.send(connection, {"call": name, "arguments": arguments}, payload)
            self._wait(connection, timeout, check)
            answer, data = protocol.receive(connection)
        except BaseException as error:
            if connection is not None:
                connection.close()
            if isinstance(error, EOFError | OSError):
                raise Ended(self._ending() if self._popen.poll() is not None else str(error)) from error
            raise
        with self._lock:
            self._idle.append(connection)
        return answer, data

    @staticmethod
    def _wait(connection, timeout, check):
        waited, step = 0, min(timeout, 5)
        connection.settimeout(step)
        while True:
            try:
                connection.recv(1, concurrency.native("socket").MSG_PEEK)
                return
            except TimeoutError:
                waited += step
                if waited >= timeout:
                    check()


class Librbd:
    """The calls of one backend, or of one reader or writer; for any number of native threads."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._lock = native_threads.lock()
        self._child: Child | None = None
        self._fence: list[str] = []

    @property
    def pid(self) -> int | None:
        """The pid of the running process, None before the first call."""
        return self._child.pid if self._child is not None else None

    def call(self, name: str, /, data: bytes = b"", attempts: int = ATTEMPTS, **arguments: object) -> typing.Any:
        """The call's result, bytes or plain data. Raises DriverError and its subclasses."""
        for left in reversed(range(attempts)):
            try:
                child = self._started()
            except StartFailed:
                if left == 0:
                    raise
                continue
            try:
                answer, payload = child.ask(name, arguments, data, self.cluster.timeout, lambda: self._probe(child))
            except Ended as ended:
                self._discard(child)
                if child.failure is not None:
                    raise child.failure from ended
                if left == 0:
                    raise base.DriverError(f"the librbd process ended during '{name}': {ended}") from ended
                continue
            if answer.get("kind") == "fenced" and left > 0:
                self._discard(child)
                continue
            if "error" in answer:
                raise KINDS.get(answer["kind"], base.DriverError)(answer["error"])
            return bytes(payload) if payload else answer["result"]
        raise AssertionError("the last attempt returns or raises")

    def _started(self):
        """The process, once it is ready. All waiting calls get the error if it cannot be started."""
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
        """Make the next call start another process, which fences this one."""
        if child.address is not None:
            self._fence.append(child.address)
            child.address = None
        if self._child is child:
            self._child = None

    def _discard(self, child):
        """End a process that has failed."""
        with self._lock:
            self._replace(child)
        child.end()

    def _probe(self, child):
        """Return if the cluster responds; otherwise end the process and all its calls."""
        child.ask("probe", {}, b"", min(self.cluster.timeout, PROBE_TIMEOUT), lambda: self._give_up(child))

    def _give_up(self, child):
        if child.failure is None:
            child.failure = Hung(f"{self.cluster.place} does not answer: no response within {self.cluster.timeout} s")
        self._discard(child)
        raise Ended("it was killed because the cluster does not answer")

    def close(self) -> None:
        """End the process."""
        with self._lock:
            child, self._child = self._child, None
        if child is not None:
            child.ready.wait()
            child.end()
