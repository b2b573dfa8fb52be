"""How the service and the process with librbd talk: a JSON header and some bytes, each way, on a Unix socket."""

import json
import struct

LENGTHS = struct.Struct("!II")


class Failure(Exception):
    """A call that cannot succeed; the text is for users. `kind` is "refused", "busy" or "down"."""

    def __init__(self, text, kind="refused"):
        super().__init__(text)
        self.kind = kind


def send(sock, header, payload=b""):
    text = json.dumps(header).encode()
    sock.sendall(LENGTHS.pack(len(text), len(payload)) + text)
    if payload:
        sock.sendall(payload)


def receive(sock):
    """The next (header, payload). Raises EOFError when the other side has gone."""
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
