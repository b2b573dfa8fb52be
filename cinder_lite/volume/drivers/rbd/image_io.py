"""Reads and writes images' bytes, for `content`."""

import itertools
import os
import typing

import rbd

from cinder_lite.volume.drivers.rbd.cluster import Pool
from cinder_lite.volume.drivers.rbd.protocol import Failure

#: Bytes that librbd zeroes per call; it fails with 2 to 4 GiB.
MOST = 1024**3


class Opened:
    """The open images by number."""

    CALLS = ("open", "close", "size", "extents", "read", "write", "zero", "sync")

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        # A random start, so that numbers of an earlier process are not valid in this one.
        self._images: dict[int, typing.Any] = {}
        self._numbers = itertools.count(int.from_bytes(os.urandom(5), "little"))

    def open(self, image: str, snapshot: str | None, writable: bool) -> tuple[int, str]:
        """(number, identity): a snapshot's identity is unique and permanent, an image has none."""
        try:
            opened = rbd.Image(self.pool.ioctx, image, snapshot, read_only=not writable)
        except rbd.ImageNotFound as error:
            raise Failure(f"{image}{'@' + snapshot if snapshot else ''} is not in pool {self.pool.name}") from error
        number = next(self._numbers)
        self._images[number] = opened
        if not snapshot:
            return number, ""
        return number, f"{self.pool.identity()}:{opened.id()}:{opened.snap_get_id(snapshot)}"

    def close(self, number: int) -> None:
        self._images.pop(number).close()

    def _image(self, number):
        try:
            return self._images[number]
        except KeyError:
            raise Failure("the librbd process in which it was open has ended") from None

    def size(self, number: int) -> int:
        return self._image(number).size()

    def extents(self, number: int, start: int, end: int) -> list[list[int]]:
        """[begin, end] of the ranges that may hold data between `start` and `end`, in order, up to the image's end."""
        image = self._image(number)
        found: list[list[int]] = []

        def collect(offset, length, exists):
            if found and found[-1][1] == offset:
                found[-1][1] = offset + length
            else:
                found.append([offset, offset + length])

        end = min(end, image.size())
        if start < end:
            image.diff_iterate(start, end - start, None, collect, include_parent=True, whole_object=True)
        return [[max(begin, start), min(stop, end)] for begin, stop in found if stop > start and begin < end]

    def read(self, number: int, offset: int, length: int) -> bytes:
        return self._image(number).read(offset, length)

    def write(self, number: int, offset: int, data: bytes) -> None:
        self._image(number).write(data, offset)

    def zero(self, number: int, start: int, end: int) -> None:
        for begin in range(start, end, MOST):
            self._image(number).write_zeroes(begin, min(MOST, end - begin))

    def sync(self, number: int) -> None:
        self._image(number).flush()
