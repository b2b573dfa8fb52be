"""Serve a WSGI application: eventlet's server or waitress, with the same limits."""

import contextlib
import logging
import socket
from collections.abc import Callable, Iterable
from typing import Any

from cinder_lite import concurrency
from cinder_lite.concurrency import http_limits, locks


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
        self._application = application
        self._server: Any = None
        self._slots, self._counting = locks.semaphore(limits.requests), locks.lock()
        self._busy, self._clients = 0, http_limits.Clients()

    def application(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """The application, counting the requests under way: idle connections must not delay the end."""
        with self._counting:
            self._busy += 1
        try:
            with self._slots:
                return self._application(environ, start_response)
        finally:
            with self._counting:
                self._busy -= 1

    @property
    def busy(self) -> int:
        """The number of requests under way."""
        return self._busy

    def start(self) -> None:
        http_limits.raise_file_limit(self.limits.connections)
        if concurrency.GREEN:
            self._server = concurrency.spawn(self._serve_green)
        else:
            from cinder_lite.concurrency import http_waitress

            self._server = http_waitress.build_server(self.sock, self.application, self.limits)
            concurrency.spawn(self._server.run)

    def _serve_green(self):
        import eventlet
        from eventlet import wsgi

        clients = self._clients

        class Pool(eventlet.GreenPool):
            def spawn(self, function, connection):
                # Idle connections are cut off at the end, but not those that have just been opened.
                clients.connected(id(connection))
                connection[2] = wsgi.STATE_REQUEST
                thread = super().spawn(function, connection)
                thread.link(lambda _: clients.finished(id(connection)))
                return thread

        wsgi.server(http_limits.Listener(self.sock), self.application, custom_pool=Pool(self.limits.connections),
                    log=self.log, log_output=False, keepalive=True, socket_timeout=self.limits.idle, debug=False,
                    url_length_limit=self.limits.head,
                    protocol=http_limits.protocol(wsgi.HttpProtocol, eventlet.Timeout, self.limits, clients))

    def stop(self, timeout: float) -> None:
        """Stop accepting connections and wait up to `timeout` seconds for clients that wait for their answers."""
        if self._server is None:
            return
        if concurrency.GREEN:
            self._server.kill()
            self.sock.close()
            self._clients.wait(timeout)
        else:
            self._server.refuse()
            self._server.wait(timeout)
            self._server.stop()
