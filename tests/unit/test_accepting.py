"""A listener survives every error of accept(2) except errors of its own socket."""

import errno
import socket

import pytest
import requests

from cinder_lite.concurrency import http_accept, http_limits, http_server

#: What accept(2) lists, errors of the network that Linux hands on included.
ERRORS = ("ECONNABORTED", "EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "EPERM", "EPROTO", "ENETDOWN", "ENOPROTOOPT",
          "EHOSTDOWN",
          "ENONET", "EHOSTUNREACH", "ENETUNREACH", "ECONNRESET", "EPIPE", "ENOTCONN", "ESHUTDOWN", "ETIMEDOUT", "ENOSR")


class Failing(socket.socket):
    """A listening socket that fails with each of these errors before it accepts anything."""

    left = ()

    def accept(self):
        if self.left:
            raise OSError(self.left.pop(), "in the way")
        return super().accept()


def application(_environ, start_response):
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]


@pytest.mark.parametrize("name", ERRORS)
def test_a_server_continues_after(name):
    sock = Failing(socket.AF_INET, socket.SOCK_STREAM)
    sock.bind(("127.0.0.1", 0))
    sock.listen(10)
    port, sock.left = sock.getsockname()[1], [getattr(errno, name)] * 2
    server = http_server.WSGIServer(sock, application, http_limits.Limits(10, 2, 30, 1024), http_accept.LOG)
    server.start()
    try:
        for _ in range(2):
            assert requests.get(f"http://127.0.0.1:{port}/", timeout=60).text == "ok"
        assert sock.left == []
    finally:
        server.stop(1)


def test_a_socket_that_is_closed_is_the_end():
    sock = socket.create_server(("127.0.0.1", 0))
    sock.close()
    with pytest.raises(OSError):
        http_accept.Listener(sock).accept()
