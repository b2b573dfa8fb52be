"""A proxy between a service and Glance that passes a limited number of bytes in one direction."""

import contextlib
import socket
import threading

from tests.services.processes import free_port

PIECE = 64 * 1024


class Tap:
    """Forwards connections to a port of the loopback. `passed` counts the bytes of all answers, or of all requests."""

    def __init__(self, port, requests=False):
        self.upstream, self.port, self._requests = port, free_port(), requests
        self.url = f"http://127.0.0.1:{self.port}"
        self.passed, self._allowed = 0, float("inf")
        self._changed, self._open = threading.Condition(), set()

    def close_after(self, count):
        """Let so many more bytes pass, and then none until `open`."""
        with self._changed:
            self._allowed = count
            self._changed.notify_all()

    def open(self):
        with self._changed:
            self._allowed = float("inf")
            self._changed.notify_all()

    def cut(self):
        """Break all connections off."""
        for one in list(self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    @property
    def closed(self):
        return self._allowed <= 0

    def __enter__(self):
        self._listening = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *exception):
        self.open()
        self._listening.close()
        self.cut()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with client, contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.upstream)) as server:
            self._open |= {client, server}
            there, back = (self._take, _ignore) if self._requests else (_ignore, self._take)
            back = threading.Thread(target=self._pump, args=(server, client, back), daemon=True)
            back.start()
            self._pump(client, server, there)
            back.join()
            self._open -= {client, server}

    def _pump(self, source, destination, take):
        with contextlib.suppress(OSError):
            while data := source.recv(PIECE):
                take(len(data))
                destination.sendall(data)
        for end in (source, destination):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _take(self, count):
        with self._changed:
            self._changed.wait_for(lambda: self._allowed > 0)
            self._allowed -= count
            self.passed += count


def _ignore(count):
    """What is not counted."""
