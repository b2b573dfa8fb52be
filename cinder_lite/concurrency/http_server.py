"""Serve a WSGI application: eventlet's server or waitress, with the same limits."""

import contextlib
import logging
import socket
from collections.abc import Callable, Iterable
from typing import Any

from cinder_lite import concurrency
from cinder_lite.concurrency import http_limits, http_slots


def listen(host: str, port: int | None = None, backlog: int = 1024) -> socket.socket:
    """A listening TCP socket, IPv4 or IPv6, that a restarted service can bind again at once; a Unix socket of the path
    `host` without a port."""
    if port is None:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.bind(host)
        sock.listen(backlog)
        return sock
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Connections inherit it: without, the second segment of an answer waits 40 ms for the client's delayed ACK.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.bind((host, port))
    sock.listen(backlog)
    return sock


def take_over(descriptor: int, host: str, port: int) -> socket.socket | None:
    """The listening socket behind an inherited descriptor if it is bound to that address; else it is closed."""
    sock = socket.socket(fileno=descriptor)
    sock.set_inheritable(False)
    listens = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    if listens and sock.getsockname()[:2] in [found[4][:2] for found in socket.getaddrinfo(host, port, type=sock.type)]:
        return sock
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()
    return None


class WSGIServer:
    """Serve a WSGI application on a listening socket: eventlet's server, or waitress on native threads.

    The application gets a request when it has been received whole, so that slow clients occupy their connections only.
    """

    def __init__(self, sock: socket.socket, application: Callable[..., Iterable[bytes]], limits: http_limits.Limits,
                 log: logging.Logger):
        self.sock, self.limits, self.log = sock, limits, log
        self.application = http_slots.Slots(application, limits)
        self._server: Any = None

    def start(self) -> None:
        http_limits.raise_file_limit(self.limits.connections)
        if concurrency.GREEN:
            from cinder_lite.concurrency import http_green

            self._server = http_green.Server(self.sock, self.application, self.limits, self.log)
        else:
            from cinder_lite.concurrency import http_waitress

            self._server = http_waitress.build_server(self.sock, self.application, self.limits)
            concurrency.spawn(self._server.run)

    @property
    def busy(self) -> int:
        """The number of requests under way."""
        return self.application.busy

    def stop(self, timeout: float) -> None:
        """Stop accepting connections and wait up to `timeout` seconds for clients that wait for their answers."""
        if self._server is not None:
            self._server.refuse()
            self._server.wait(timeout)
            self._server.stop()
