"""How the bytes of a volume are read and written, wherever a driver keeps them, around their holes.

A driver says where they are as plain data, which travels to another process of the same host: {"path": ...} is a file
or block device, {"rbd": ...} an image of a Ceph pool, with a source and a target of its own that have the same methods.
"""

import contextlib
import ctypes
import errno
import os
import stat

from cinder_lite import errors

KEEP_SIZE, PUNCH_HOLE = 1, 2  # of fallocate(2)
NO_HOLES_TO_PUNCH = (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.ENODEV)
PIECE = 1024**2


class ContentError(errors.Explained):
    """The volume's device cannot be read or written; the text says where."""

    for_members = errors.STORAGE


def source(where):
    """What reads the content that is there, to be entered as a context."""
    return _rbd().Source(where["rbd"]) if "rbd" in where else Source(where["path"])


def target(where):
    """What writes the content that is there, to be entered as a context."""
    return _rbd().Target(where["rbd"]) if "rbd" in where else Target(where["path"])


def _rbd():
    from cinder_lite.volume.drivers.rbd import content

    return content


class Source:
    """The content of a file or block device, while the context is open. Calls may come from several threads."""

    def __init__(self, path):
        self.path = path

    def __enter__(self):
        with _failures("open", self.path):
            self._fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        return self

    def __exit__(self, *exception):
        os.close(self._fd)

    def identity(self):
        """A text that changes when the source is replaced or, for a file, written to; "" where that cannot be told."""
        status = os.fstat(self._fd)
        return f"{status.st_dev}:{status.st_ino}:{status.st_mtime_ns}" if stat.S_ISREG(status.st_mode) else ""

    def extents(self, start, end):
        """Yield (start, end) of each range of bytes that may hold data; what lies between them is a hole."""
        yield from _extents(self._fd, start, end)

    def read(self, offset, length):
        """Exactly so many bytes. Raises ContentError where the source ends before."""
        with _failures(f"read at byte {offset}", self.path):
            data = os.pread(self._fd, length, offset)
            while len(data) < length:
                more = os.pread(self._fd, length - len(data), offset + len(data))
                if not more:
                    raise ContentError(f"{self.path} ends at byte {offset + len(data)}, before the volume's size")
                data += more
        return data


class Target:
    """A file or block device to write to, while the context is open. Calls may come from several threads.

    `punch(fd, start, length)` makes a hole and says whether the device can have holes.
    """

    def __init__(self, path, punch=None):
        self.path, self._punch = path, punch or punch_hole

    def __enter__(self):
        with _failures("open", self.path):
            self._fd = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        return self

    def __exit__(self, *exception):
        os.close(self._fd)

    def size(self):
        """The size in bytes."""
        with _failures("measure", self.path):
            return os.lseek(self._fd, 0, os.SEEK_END)

    def write(self, offset, data):
        with _failures(f"write at byte {offset}", self.path):
            written = 0
            while written < len(data):
                written += os.pwrite(self._fd, memoryview(data)[written:], offset + written)

    def zero(self, start, end):
        """Make a range read as zeros: by a hole where the device has such, else by zeros over what is not zero."""
        with _failures(f"zero from byte {start}", self.path):
            if start < end and not self._punch(self._fd, start, end - start):
                self._overwrite(start, end)

    def _overwrite(self, start, end):
        for begin, stop in _extents(self._fd, start, end):
            for offset in range(begin, stop, PIECE):
                length = min(PIECE, stop - offset)
                if os.pread(self._fd, length, offset).strip(b"\0"):
                    self.write(offset, bytes(length))

    def sync(self):
        """Make durable what was written."""
        with _failures("sync", self.path):
            os.fsync(self._fd)


def _extents(fd, start, end):
    while start < end:
        try:
            begin = os.lseek(fd, start, os.SEEK_DATA)
            stop = os.lseek(fd, begin, os.SEEK_HOLE)
        except OSError as error:
            if error.errno == errno.ENXIO and os.lseek(fd, 0, os.SEEK_END) >= end:
                return  # a hole up to the end
            begin, stop = start, end  # a device without holes, or one that is too short: reading will tell
        if not start <= begin < stop:
            begin, stop = start, end  # a device that does not seek
        if begin >= end:
            return
        yield begin, min(stop, end)
        start = stop


def punch_hole(fd, start, length):
    """Whether fallocate(2) could turn the range into a hole."""
    libc = ctypes.CDLL(None, use_errno=True)
    mode, start, length = ctypes.c_int(PUNCH_HOLE | KEEP_SIZE), ctypes.c_int64(start), ctypes.c_int64(length)
    if libc.fallocate64(fd, mode, start, length) == 0:
        return True
    if ctypes.get_errno() in NO_HOLES_TO_PUNCH:
        return False
    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


@contextlib.contextmanager
def _failures(doing, path):
    try:
        yield
    except OSError as error:
        raise ContentError(f"cannot {doing} of {path}: {error.strerror}") from error
