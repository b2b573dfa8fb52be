"""What clients may take of an HTTP server, and reading a request as a whole before the application is called."""

import collections.abc
import contextlib
import dataclasses
import errno
import http
import io
import logging
import resource
import threading
import time

LOG = logging.getLogger(__name__)

#: Seconds within which who has just connected is expected to ask.
NEWCOMERS = 1.0
#: The socket listens no more. Other errors of accept(2) are of the one connection, or of what the system lacks for a while.
OVER = frozenset((errno.EBADF, errno.EINVAL, errno.ENOTSOCK, errno.EOPNOTSUPP))
#: Seconds between attempts to accept, and between lines in the log about them.
PAUSE, SILENCE = 0.1, 10.0


def in_plain_text(status, sentence):
    return f"{status} {http.HTTPStatus(status).phrase}", [("Content-Type", "text/plain; charset=UTF-8")], sentence.encode()


@dataclasses.dataclass(frozen=True)
class Limits:
    """Connections and requests at a time, seconds for sending a request, bytes of its body that the application looks at,
    bytes of its head, bytes of a body that are received at all, so that the refusal is heard, and seconds without a request
    after which a connection is closed.

    `refuse(status, sentence)` makes the (status line, headers, body) of what never reaches the application.
    """

    connections: int
    requests: int
    patience: float
    body: int
    refuse: collections.abc.Callable = in_plain_text
    head: int = 65536
    received: int = 16 * 1024**2
    idle: float = 75


class Clients:
    """Of a server of green threads: those who wait for an answer, and those who have just come and are about to ask: the end has to wait for them."""

    def __init__(self):
        self._came, self._asking, self._changed = {}, set(), threading.Condition()
        self.closing = False

    def came(self, client):
        self._came[client] = time.monotonic()

    def asks(self, client):
        with self._changed:
            self._asking.add(client)
            self._came.pop(client, None)

    def left(self, client):
        """It has its answer, or is gone."""
        with self._changed:
            self._asking.discard(client)
            self._came.pop(client, None)
            self._changed.notify_all()

    def wait(self, timeout):
        """Until none is left, but for no longer than `timeout`."""
        self.closing = True
        end = time.monotonic() + timeout
        with self._changed:
            while (left := end - time.monotonic()) > 0:
                silent = max(self._came.values(), default=0) + NEWCOMERS - time.monotonic()
                if not self._asking and silent <= 0:
                    return
                self._changed.wait(left if self._asking else min(left, silent))


class AcceptErrors:
    """What errors of one listener mean."""

    def __init__(self):
        self._told = None

    def over(self, error):
        """Whether the listener is at its end; else the error is logged, unless one has just been."""
        if error.errno in OVER:
            return True
        now = time.monotonic()
        if self._told is None or now - self._told > SILENCE:
            self._told = now
            LOG.error("connections cannot be accepted, will be tried again: %s", error)
        return False


class Listener:
    """A listening socket whose `accept` waits until it has a connection, whatever is in the way meanwhile."""

    def __init__(self, sock):
        self._sock, self._errors = sock, AcceptErrors()

    def __getattr__(self, name):
        return getattr(self._sock, name)

    def accept(self):
        while True:
            try:
                return self._sock.accept()
            except OSError as error:
                if self._errors.over(error):
                    raise
            time.sleep(PAUSE)


def allow_files(connections):
    """Raise the soft limit of open files, which is lower than our own limits on most systems."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + 512
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (
            wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))


def protocol(base, timeout, limits, clients):
    """`base`, the protocol of a server of green threads, with requests read as a whole; `timeout` is that of the threads.

    Its connections are known to `clients` by their state.
    """

    class Protocol(base):
        def handle_one_request(self):
            asked = b""
            with contextlib.suppress(OSError):
                asked = self.rfile.peek(1)  # a connection may be idle for longer than a request may take
            if not asked:
                self.close_connection = True
                return
            clients.asks(id(self.conn_state))
            self.late = timeout(limits.patience)
            try:
                super().handle_one_request()
            except timeout as late:
                if late is not self.late:
                    raise
                self.send_error(408, f"The request was not sent within {limits.patience} seconds.")
            finally:
                self.late.cancel()
                clients.left(id(self.conn_state))

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
            """Leave what came of the body to the application, as much as it looks at, and how much it was."""
            kept, received = [], 0
            length = source.content_length or 0
            if length > limits.received or (length > limits.body and source.should_send_hundred_continue):
                self.close_connection, received = True, length
            else:
                while received <= limits.received and (piece := source.read(65536)):
                    received += len(piece)
                    if received - len(piece) <= limits.body:
                        kept.append(piece)
                self.close_connection = self.close_connection or received > limits.received
            self.environ["wsgi.input"] = io.BytesIO(b"".join(kept))
            if self.environ.pop("HTTP_TRANSFER_ENCODING", None):
                self.environ["CONTENT_LENGTH"] = str(received)

        def send_error(self, code, message=None, explain=None):
            status, headers, body = limits.refuse(code if code < 500 else 400, explain or message or "")
            lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers), "Connection: close",
                     f"Content-Length: {len(body)}"]
            self.wfile.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
            self.close_connection = True

    return Protocol
