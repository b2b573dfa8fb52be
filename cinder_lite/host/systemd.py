"""Notify the service manager (sd_notify(3)): ready, a status line, watchdog, the end; and let it hold sockets.

Without NOTIFY_SOCKET in the environment nothing is sent. Worker processes notify the process that started them in the
same way (`Reports`), and that notifies the service manager.
"""

import array
import os
import struct
from collections.abc import Sequence
from typing import Any, Protocol

from cinder_lite import concurrency

#: Seconds between status lines, and between watchdog notifications unless the service manager wants them more often.
INTERVAL = 1.0
#: The first descriptor that the service manager passes (sd_listen_fds(3)).
FIRST_DESCRIPTOR = 3


class HasDescriptor(Protocol):
    def fileno(self) -> int: ...


def notify(**facts: object) -> bool:
    """Send facts such as status="…" or ready=1. Whether they were accepted: a busy listener is not waited for."""
    return _send(facts)


def notify_waiting(what: str) -> None:
    """Report that the start waits for `what`, and that it is not to be ended for that within half a minute."""
    notify(status=f"waiting for {what}", extend_timeout_usec=30_000_000)


def _send(facts: dict[str, Any], descriptors: Sequence[int] = ()) -> bool:
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return False
    text = "\n".join(f"{name.upper()}={' '.join(str(value).split())}" for name, value in facts.items())
    socket = concurrency.native("socket")
    ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        try:
            sock.sendmsg([text.encode()], ancillary, socket.MSG_DONTWAIT,
                         "\0" + address[1:] if address.startswith("@") else address)
        except OSError:
            return False
    return True


def store_socket(name: str, sock: HasDescriptor) -> None:
    """Have the service manager hold a socket for the process that replaces this one, under this name."""
    _send({"fdstoreremove": 1, "fdname": name})
    _send({"fdstore": 1, "fdname": name}, [sock.fileno()])


def stored_socket(name: str) -> int | None:
    """The descriptor that the former process stored under this name; None without one."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return None
    names = os.environ.get("LISTEN_FDNAMES", "").split(":")
    return FIRST_DESCRIPTOR + names.index(name) if name in names else None


def watchdog_timeout() -> float | None:
    """Seconds after which the service manager kills a silent process; None without a watchdog."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    return int(os.environ.get("WATCHDOG_USEC", "0")) / 1e6 or None


def interval() -> float:
    """Seconds between two watchdog notifications."""
    return min(INTERVAL, (watchdog_timeout() or INTERVAL) / 3)


class Reports:
    """The socket to which workers, after `join`, send notifications instead of to the service manager."""

    def __init__(self, descriptor: int | None = None) -> None:
        """`descriptor` is that of an existing socket."""
        socket = concurrency.native("socket")
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC, fileno=descriptor)
        if descriptor is None:
            self._sock.bind("")  # a free abstract address
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._credentials = struct.Struct("3i")

    def fileno(self) -> int:
        return self._sock.fileno()

    def join(self) -> None:
        """Called in a worker: send its notifications here."""
        os.environ["NOTIFY_SOCKET"] = "@" + self._sock.getsockname()[1:].decode()
        if "WATCHDOG_USEC" in os.environ:
            os.environ["WATCHDOG_PID"] = str(os.getpid())
        self._sock.close()

    def next(self, seconds: float) -> tuple[int, dict[str, str]] | None:
        """(process id, facts) of the next message, None when there is none in time. The kernel guarantees the id."""
        self._sock.settimeout(seconds)
        try:
            text, ancillary, _, _ = self._sock.recvmsg(65536, 64)
        except (TimeoutError, BlockingIOError):
            return None
        pid = self._credentials.unpack(ancillary[0][2][:self._credentials.size])[0]
        return pid, dict(line.split("=", 1) for line in text.decode(errors="replace").splitlines() if "=" in line)
