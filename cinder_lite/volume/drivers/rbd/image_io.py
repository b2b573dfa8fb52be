"""Reading and writing an image's bytes, for `content`."""

import itertools
import os

import rbd

from cinder_lite.volume.drivers.rbd.protocol import Failure

#: Bytes that librbd is told to zero at once: of 2 to 4 GiB it makes an error.
MOST = 1024**3


class Opened:
    """The images that are open, by number."""

    CALLS = ("open", "close", "size", "extents", "read", "write", "zero", "sync")

    def __init__(self, pool):
        self.pool = pool
        # From anywhere, so that a number of a process before is none of this one's.
        self._images, self._numbers = {}, itertools.count(int.from_bytes(os.urandom(5), "little"))

    def open(self, image, snapshot, writable):
        """(number, identity): a snapshot's identity is its own for ever, an image's has none."""
        try:
            opened = rbd.Image(self.pool.ioctx, image, snapshot, read_only=not writable)
        except rbd.ImageNotFound as error:
            raise Failure(f"{image}{'@' + snapshot if snapshot else ''} is not in pool {self.pool.name}") from error
        number = next(self._numbers)
        self._images[number] = opened
        if not snapshot:
            return number, ""
        return number, f"{self.pool.identity()}:{opened.id()}:{opened.snap_get_id(snapshot)}"

    def close(self, number):
        self._images.pop(number).close()

    def _image(self, number):
        try:
            return self._images[number]
        except KeyError:
            raise Failure("the process with librbd in which it was open has ended") from None

    def size(self, number):
        return self._image(number).size()

    def extents(self, number, start, end):
        """[begin, end] of what may hold data between `start` and `end`, in order, cut at the image's end."""
        image, found = self._image(number), []

        def collect(offset, length, exists):
            if found and found[-1][1] == offset:
                found[-1][1] = offset + length
            else:
                found.append([offset, offset + length])

        end = min(end, image.size())
        if start < end:
            image.diff_iterate(start, end - start, None, collect, include_parent=True, whole_object=True)
        return [[max(begin, start), min(stop, end)] for begin, stop in found if stop > start and begin < end]

    def read(self, number, offset, length):
        return self._image(number).read(offset, length)

    def write(self, number, offset, data):
        self._image(number).write(data, offset)

    def zero(self, number, start, end):
        for begin in range(start, end, MOST):
            self._image(number).write_zeroes(begin, min(MOST, end - begin))

    def sync(self, number):
        self._image(number).flush()
