"""Reads and writes images' bytes, for `content`."""

import functools
import itertools
import os
import threading

import rbd

from cinder_lite.volume.drivers.rbd.cluster import Pool
from cinder_lite.volume.drivers.rbd.protocol import Failure

#: Bytes that librbd zeroes per call; it fails with 2 to 4 GiB.
MOST = 1024**3
#: Most bytes of an image's writes in progress, unless one write has more.
WINDOW = 8 * 1024**2


class Image:
    """An open image, whose writes overlap. After a failed one every further write or wait raises its error.

    If `writable`, the journal has this client as the image's writer.
    """

    def __init__(self, image: rbd.Image, writable: bool = False) -> None:
        self.writable = writable
        self.opened, self._bytes, self._error, self._changed = image, 0, 0, threading.Condition()

    def write(self, offset: int, data: bytes) -> None:
        """Begin to write, when no more than WINDOW bytes are in progress then."""
        with self._changed:
            self._changed.wait_for(lambda: self._bytes == 0 or self._bytes + len(data) <= WINDOW)
            self._check()
            self._bytes += len(data)
        try:
            # The data is kept until it is written: with rbd_disable_zero_copy_writes = false librbd does not copy it.
            self.opened.aio_write(data, offset, functools.partial(self._written, data))
        except BaseException:
            self._end(len(data), 0)
            raise

    def wait(self) -> None:
        """Wait until all writes are done."""
        with self._changed:
            self._changed.wait_for(lambda: self._bytes == 0)
            self._check()

    def _written(self, data, completion):
        self._end(len(data), completion.get_return_value())

    def _end(self, length, result):
        with self._changed:
            self._bytes -= length
            self._error = self._error or min(result, 0)
            self._changed.notify_all()

    def _check(self):
        if self._error:
            raise OSError(-self._error, os.strerror(-self._error))


class Opened:
    """The open images by number."""

    CALLS = ("open", "close", "size", "extents", "read", "write", "zero", "sync")

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        # A random start, so that numbers of an earlier process are not valid in this one.
        self._images: dict[int, Image] = {}
        self._numbers = itertools.count(int.from_bytes(os.urandom(5), "little"))

    def open(self, image: str, snapshot: str | None, writable: bool) -> tuple[int, str]:
        """(number, identity): a snapshot's identity is unique and permanent, an image has none."""
        try:
            opened = rbd.Image(self.pool.ioctx, image, snapshot, read_only=not writable)
        except rbd.ImageNotFound as error:
            raise Failure(f"{image}{'@' + snapshot if snapshot else ''} is not in pool {self.pool.name}") from error
        number = next(self._numbers)
        if writable:
            self.pool.become_writer(f"writing/{opened.id()}")
        self._images[number] = Image(opened, writable)
        if not snapshot:
            return number, ""
        return number, f"{self.pool.identity()}:{opened.id()}:{opened.snap_get_id(snapshot)}"

    def close(self, number: int) -> None:
        image = self._images.pop(number)
        try:
            image.wait()
            if image.writable:
                self.pool.strike(f"writing/{image.opened.id()}")
        finally:
            image.opened.close()

    def _image(self, number):
        try:
            return self._images[number]
        except KeyError:
            raise Failure("the librbd process in which it was open has ended") from None

    def size(self, number: int) -> int:
        return self._image(number).opened.size()

    def extents(self, number: int, start: int, end: int) -> list[list[int]]:
        """[begin, end] of the ranges that may hold data between `start` and `end`, in order, up to the image's end."""
        image = self._image(number).opened
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
        return self._image(number).opened.read(offset, length)

    def write(self, number: int, offset: int, data: bytes) -> None:
        self._image(number).write(offset, data)

    def zero(self, number: int, start: int, end: int) -> None:
        for begin in range(start, end, MOST):
            self._image(number).opened.write_zeroes(begin, min(MOST, end - begin))

    def sync(self, number: int) -> None:
        image = self._image(number)
        image.wait()
        image.opened.flush()
