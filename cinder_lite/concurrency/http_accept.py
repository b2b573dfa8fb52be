"""Accepts connections, whatever the errors of accept(2), until the listening socket is closed."""

import errno
import logging
import socket
from typing import Any

from cinder_lite.concurrency import clock

LOG = logging.getLogger(__name__)

#: The socket no longer listens. Other errors of accept(2) concern one connection, or a resource that is short for a
#: while.
CLOSED = frozenset((errno.EBADF, errno.EINVAL, errno.ENOTSOCK, errno.EOPNOTSUPP))
#: Seconds between attempts to accept, and between log lines about them.
ACCEPT_RETRY, LOG_INTERVAL = 0.1, 10.0


class AcceptErrors:
    """Classifies the errors of one listener's accept(2), and logs the passing ones at most every LOG_INTERVAL
    seconds."""

    def __init__(self) -> None:
        self._logged: float | None = None

    def is_final(self, error: OSError) -> bool:
        """Whether the listener is closed; otherwise the error is logged."""
        if error.errno in CLOSED:
            return True
        now = clock.monotonic()
        if self._logged is None or now - self._logged > LOG_INTERVAL:
            self._logged = now
            LOG.error("connections cannot be accepted, will be tried again: %s", error)
        return False


class Listener:
    """A listening socket whose `accept` repeats after passing errors until it has a connection."""

    def __init__(self, sock: socket.socket):
        self._sock, self._errors = sock, AcceptErrors()
        # eventlet's server uses nothing else of a socket that listens.
        self.family, self.getsockname, self.close = sock.family, sock.getsockname, sock.close

    def accept(self) -> tuple[socket.socket, Any]:
        while True:
            try:
                return self._sock.accept()
            except OSError as error:
                if self._errors.is_final(error):
                    raise
            clock.sleep(ACCEPT_RETRY)
