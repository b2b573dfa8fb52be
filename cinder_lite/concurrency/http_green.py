"""The HTTP server of green threads: eventlet's, which calls the application once it has received a request whole."""

import contextlib
import io
import logging
import socket
from collections.abc import Callable, Iterable
from typing import Any

import eventlet
from eventlet import wsgi

from cinder_lite.concurrency import clock, http_accept, locks
from cinder_lite.concurrency.http_limits import FIRST_REQUEST, Limits


class _Clients:
    """The clients that wait for an answer or have just connected: the end of the server waits for them."""

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


class _Pool(eventlet.GreenPool):
    """The connections of a server, one green thread each."""

    def __init__(self, size: int, clients: _Clients):
        super().__init__(size)
        self._clients = clients

    def spawn(self, function: Callable[..., object], connection: list[Any]) -> Any:
        """Serve the connection."""
        # Idle connections are cut off at the end, but not those that have just been opened.
        self._clients.connected(id(connection))
        connection[2] = wsgi.STATE_REQUEST
        thread = super().spawn(function, connection)
        thread.link(lambda _: self._clients.finished(id(connection)))
        return thread


class _Protocol(wsgi.HttpProtocol):
    """Reads requests whole. The server makes a subclass that has its limits and clients."""

    limits: Limits
    clients: _Clients

    def handle_one_request(self):
        first = b""
        with contextlib.suppress(OSError):
            first = self.rfile.peek(1)  # a connection may be idle for longer than a request may take
        if not first:
            self.close_connection = True
            return
        self.clients.requested(id(self.conn_state))
        self.late = eventlet.Timeout(self.limits.request_timeout)
        try:
            super().handle_one_request()
        except eventlet.Timeout as late:
            if late is not self.late:
                raise
            self.send_error(408, f"The request was not sent within {self.limits.request_timeout} seconds.")
        finally:
            self.late.cancel()
            self.clients.finished(id(self.conn_state))

    def handle_one_response(self):
        try:
            body, received, too_long = _received(self.environ["eventlet.input"], self.limits)
        except (ValueError, OSError):
            self.send_error(400, "The body breaks off, or its chunks are not as HTTP wants them.")
            return
        self.environ["wsgi.input"] = io.BytesIO(body)
        if self.environ.pop("HTTP_TRANSFER_ENCODING", None):
            self.environ["CONTENT_LENGTH"] = str(received)
        self.late.cancel()
        self.close_connection = self.close_connection or too_long or self.clients.closing
        super().handle_one_response()

    def send_error(self, code, message=None, explain=None):
        status, headers, body = self.limits.refuse(code if code < 500 else 400, explain or message or "")
        lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers), "Connection: close",
                 f"Content-Length: {len(body)}"]
        self.wfile.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        self.close_connection = True


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


class Server:
    """Serves an application on a listening socket from now on."""

    def __init__(self, sock: socket.socket, application: Callable[..., Iterable[bytes]], limits: Limits,
                 log: logging.Logger):
        self._sock, self._clients = sock, _Clients()
        self._thread = eventlet.spawn(
            wsgi.server, http_accept.Listener(sock), application, log=log, log_output=False, debug=False,
            custom_pool=_Pool(limits.connections, self._clients), keepalive=True, socket_timeout=limits.idle,
            url_length_limit=limits.head,
            protocol=type("Protocol", (_Protocol,), {"limits": limits, "clients": self._clients}))

    def refuse(self) -> None:
        """Accept no more connections."""
        self._thread.kill()
        self._sock.close()

    def wait(self, timeout: float) -> None:
        """Wait up to `timeout` seconds for clients that wait for their answers."""
        self._clients.wait(timeout)

    def stop(self) -> None:
        """Nothing to do: connections end with the process."""
