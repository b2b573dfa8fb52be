"""Limits of an HTTP server on its clients, and reading a request whole before the application is called."""

import contextlib
import dataclasses
import errno
import http
import io
import logging
import resource
import socket
from collections.abc import Callable
from typing import Any

from cinder_lite.concurrency import clock, locks

LOG = logging.getLogger(__name__)

#: Seconds within which a new connection is expected to send its first request.
FIRST_REQUEST = 1.0
#: The socket no longer listens. Other errors of accept(2) concern one connection, or a resource that is short for a
#: while.
CLOSED = frozenset((errno.EBADF, errno.EINVAL, errno.ENOTSOCK, errno.EOPNOTSUPP))
#: Seconds between attempts to accept, and between log lines about them.
ACCEPT_RETRY, LOG_INTERVAL = 0.1, 10.0

#: A status line, headers and a body.
Answer = tuple[str, list[tuple[str, str]], bytes]


def plain_text(status: int, sentence: str) -> Answer:
    return f"{status} {http.HTTPStatus(status).phrase}", [("Content-Type",
                                                           "text/plain; charset=UTF-8")], sentence.encode()


@dataclasses.dataclass(frozen=True)
class Limits:
    """Limits on connections and requests at a time, and on each request.

    `request_timeout`: seconds for sending a request. `body`: bytes of its body that the application gets. `head`:
    bytes of its head. `received`: bytes of a body that are received at all, so that the client gets the refusal.
    `idle`: seconds without a request after which a connection is closed. `refuse(status, sentence)` builds the
    answer to requests that never reach the application.
    """

    connections: int
    requests: int
    request_timeout: float
    body: int
    refuse: Callable[[int, str], Answer] = plain_text
    head: int = 65536
    received: int = 16 * 1024**2
    idle: float = 75


class Clients:
    """The clients of a server of green threads that wait for an answer or have just connected: its end waits for
    them."""

    def __init__(self) -> None:
        self._connected: dict[int, float] = {}
        self._waiting: set[int] = set()
        self._changed = locks.condition()
        self.closing = False

    def connected(self, client: int) -> None:
        self._connected[client] = clock.monotonic()

    def requested(self, client: int) -> None:
        with self._changed:
            self._waiting.add(client)
            self._connected.pop(client, None)

    def finished(self, client: int) -> None:
        """The client has its answer, or is gone."""
        with self._changed:
            self._waiting.discard(client)
            self._connected.pop(client, None)
            self._changed.notify_all()

    def wait(self, timeout: float) -> None:
        """Wait until none is left, for `timeout` seconds at most."""
        self.closing = True
        end = clock.monotonic() + timeout
        with self._changed:
            while (left := end - clock.monotonic()) > 0:
                silent = max(self._connected.values(), default=0) + FIRST_REQUEST - clock.monotonic()
                if not self._waiting and silent <= 0:
                    return
                self._changed.wait(left if self._waiting else min(left, silent))


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

    def __getattr__(self, name):
        return getattr(self._sock, name)

    def accept(self) -> tuple[socket.socket, Any]:
        while True:
            try:
                return self._sock.accept()
            except OSError as error:
                if self._errors.is_final(error):
                    raise
            clock.sleep(ACCEPT_RETRY)


def raise_file_limit(connections: int) -> None:
    """Raise the soft limit of open files, which is lower than our own limits on most systems."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + 512
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (
            wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))


def _received(source: Any, limits: Limits) -> tuple[bytes, int, bool]:
    """Receive a body: (up to `limits.body` bytes of it, its length, whether it is longer than a client may send)."""
    kept, received = [], 0
    length = source.content_length or 0
    if length > limits.received or (length > limits.body and source.should_send_hundred_continue):
        return b"", length, True
    while received <= limits.received and (piece := source.read(65536)):
        received += len(piece)
        if received - len(piece) <= limits.body:
            kept.append(piece)
    return b"".join(kept), received, received > limits.received


def protocol(base: Any, timeout: Any, limits: Limits, clients: Clients) -> type:
    """A subclass of `base`, the protocol of a server of green threads, that reads requests whole.

    `timeout` is the green threads' Timeout class. `clients` identifies connections by the id of their state.
    """

    class Protocol(base):
        def handle_one_request(self):
            first = b""
            with contextlib.suppress(OSError):
                first = self.rfile.peek(1)  # a connection may be idle for longer than a request may take
            if not first:
                self.close_connection = True
                return
            clients.requested(id(self.conn_state))
            self.late = timeout(limits.request_timeout)
            try:
                super().handle_one_request()
            except timeout as late:
                if late is not self.late:
                    raise
                self.send_error(408, f"The request was not sent within {limits.request_timeout} seconds.")
            finally:
                self.late.cancel()
                clients.finished(id(self.conn_state))

        def handle_one_response(self):
            try:
                self._read(self.environ["eventlet.input"])
            except (ValueError, OSError):
                self.send_error(400, "The body breaks off, or its chunks are not as HTTP wants them.")
                return
            self.late.cancel()
            self.close_connection = self.close_connection or clients.closing
            super().handle_one_response()

        def _read(self, source):
            """Receive the body; the application gets up to `limits.body` bytes of it, and its length."""
            body, received, too_long = _received(source, limits)
            self.close_connection = self.close_connection or too_long
            self.environ["wsgi.input"] = io.BytesIO(body)
            if self.environ.pop("HTTP_TRANSFER_ENCODING", None):
                self.environ["CONTENT_LENGTH"] = str(received)

        def send_error(self, code, message=None, explain=None):
            status, headers, body = limits.refuse(code if code < 500 else 400, explain or message or "")
            lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers), "Connection: close",
                     f"Content-Length: {len(body)}"]
            self.wfile.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
            self.close_connection = True

    return Protocol
