"""What the service manager is told (sd_notify(3)): being ready, a status line, signs of life, the end.

The protocol is the environment's: without NOTIFY_SOCKET nothing is said. A process that starts workers is told by them
in the same way (`Reports`) and speaks for them.
"""

import array
import os
import struct

from cinder_lite import concurrency

#: Seconds between status lines, and between signs of life unless the service manager wants them more often.
INTERVAL = 1.0
#: The number of the first descriptor that the service manager hands over.
FIRST_KEPT = 3


def tell(**facts):
    """Send facts such as status="…" or ready=1. Returns whether they were taken: it is not waited for a busy listener."""
    return _send(facts)


def _send(facts, descriptors=()):
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return False
    text = "\n".join(f"{name.upper()}={' '.join(str(value).split())}" for name, value in facts.items())
    socket = concurrency.native("socket")
    along = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        try:
            sock.sendmsg([text.encode()], along, socket.MSG_DONTWAIT, "\0" + address[1:] if address.startswith("@") else address)
        except OSError:
            return False
    return True


def keep(name, sock):
    """Have the service manager hold a socket while this process is replaced by another, who finds it by this name."""
    _send({"fdstoreremove": 1, "fdname": name})
    _send({"fdstore": 1, "fdname": name}, [sock.fileno()])


def kept(name):
    """The descriptor that the process before has left by this name; None where there is none."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return None
    names = os.environ.get("LISTEN_FDNAMES", "").split(":")
    return FIRST_KEPT + names.index(name) if name in names else None


def patience():
    """Seconds after which the service manager takes a silent process for a hung one; None when it does not look."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    return int(os.environ.get("WATCHDOG_USEC", "0")) / 1e6 or None


def interval():
    """Seconds between two signs of life."""
    return min(INTERVAL, (patience() or INTERVAL) / 3)


class Reports:
    """Where workers, after `join`, send to instead of to the service manager."""

    def __init__(self):
        socket = concurrency.native("socket")
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._sock.bind("")  # a free abstract address
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._credentials = struct.Struct("3i")

    def join(self):
        """Called by a worker: what it tells goes here."""
        os.environ["NOTIFY_SOCKET"] = "@" + self._sock.getsockname()[1:].decode()
        if "WATCHDOG_USEC" in os.environ:
            os.environ["WATCHDOG_PID"] = str(os.getpid())
        self._sock.close()

    def next(self, seconds):
        """(process id, facts) of the next message, None when there is none in time. The kernel vouches for the id."""
        self._sock.settimeout(seconds)
        try:
            text, ancillary, _, _ = self._sock.recvmsg(65536, 64)
        except (TimeoutError, BlockingIOError):
            return None
        pid = self._credentials.unpack(ancillary[0][2][:self._credentials.size])[0]
        return pid, dict(line.split("=", 1) for line in text.decode(errors="replace").splitlines() if "=" in line)
