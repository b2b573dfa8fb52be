"""The protocol between the service and its librbd process: a JSON header and a payload, on a Unix socket."""

import json
import socket
import struct

LENGTHS = struct.Struct("!II")


class Failure(Exception):
    """A failed call; the text is for users. `kind` is "refused", "busy" or "down"."""

    def __init__(self, text: str, kind: str = "refused") -> None:
        super().__init__(text)
        self.kind = kind


def send(sock: socket.socket, header: dict, payload: bytes = b"") -> None:
    text = json.dumps(header).encode()
    sock.sendall(LENGTHS.pack(len(text), len(payload)) + text)
    if payload:
        sock.sendall(payload)


def receive(sock: socket.socket) -> tuple[dict, bytearray]:
    """The next (header, payload). Raises EOFError if the other side has closed the connection."""
    lengths = LENGTHS.unpack(_exactly(sock, LENGTHS.size))
    return json.loads(bytes(_exactly(sock, lengths[0]))), _exactly(sock, lengths[1])


def _exactly(sock, length):
    data = bytearray(length)
    view, got = memoryview(data), 0
    while got < length:
        count = sock.recv_into(view[got:])
        if count == 0:
            raise EOFError
        got += count
    return data
