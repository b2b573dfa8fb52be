"""Opens volumes that are kept as files of one MiB each: the locations {"outside": {"directories": [path, ...]}}.

The first directory is read, all are written to. A piece that is missing reads as zeros.
"""

import contextlib
import os

from cinder_lite.blockio import device

PIECE = 1024**2
SIZE = "size"


class _Pieces:
    def __init__(self, details):
        self.directories = details["directories"]

    def __enter__(self):
        self._size = int(_read(os.path.join(self.directories[0], SIZE)) or 0)
        return self

    def __exit__(self, *exception):
        pass

    def piece(self, number):
        """The content of a piece, as long as it is."""
        return _read(os.path.join(self.directories[0], str(number))) or bytes(min(PIECE, self._size - number * PIECE))

    def size(self):
        return self._size


class Source(_Pieces):
    """Reads a volume."""

    def identity(self):
        return ""

    def extents(self, start, end):
        for number in range(start // PIECE, -(-end // PIECE)):
            if os.path.exists(os.path.join(self.directories[0], str(number))):
                yield max(start, number * PIECE), min(end, (number + 1) * PIECE)

    def read(self, offset, length):
        if offset + length > self._size:
            raise device.ContentError(f"{self.directories[0]} ends at byte {self._size}")
        data = b""
        while len(data) < length:
            number, skipped = divmod(offset + len(data), PIECE)
            data += self.piece(number)[skipped:skipped + length - len(data)]
        return data


class Target(_Pieces):
    """Writes a volume."""

    def write(self, offset, data):
        data = bytes(data)
        while data:
            number, skipped = divmod(offset, PIECE)
            part, data = data[:PIECE - skipped], data[PIECE - skipped:]
            old = self.piece(number)
            for directory in self.directories:
                _write(os.path.join(directory, str(number)), old[:skipped] + part + old[skipped + len(part):])
            offset += len(part)

    def zero(self, start, end):
        while start < end:
            stop = min(end, (start // PIECE + 1) * PIECE)
            self.write(start, bytes(stop - start))
            start = stop

    def sync(self):
        os.sync()


def _read(path):
    with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:
        return file.read()
    return None


def _write(path, data):
    with open(f"{path}.part", "wb") as file:
        file.write(data)
    os.rename(f"{path}.part", path)
