"""Copies a raw file without its holes: by sharing blocks where the file system can, else by copying the data."""

import errno
import fcntl
import os
from collections.abc import Callable, Iterator

#: ioctl of linux/fs.h: share all blocks of another file (XFS, btrfs, bcachefs, NFS 4.2, overlays of them).
FICLONE = 0x40049409
CANNOT_CLONE = (errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV, errno.EINVAL, errno.ENOSYS)

#: Bytes per read, and the smallest run of zeros that becomes a hole.
CHUNK = 4 * 1024**2
HOLE = 64 * 1024
ZEROS = bytes(HOLE)


def copy(source: int, destination: int, size: int, progress: Callable[[int, int], object]) -> bool:
    """Copy `source` into the empty file `destination` (both descriptors).

    The copy has `size` bytes, cut off or padded with zeros; 0 means the size of the source. `progress(done, whole)`
    counts bytes of the source, and may raise to stop the copy. Returns True if blocks are shared. Raises OSError.
    """
    whole = os.fstat(source).st_size
    size = size or whole
    whole = min(size, whole)
    shared = reflink(source, destination)
    if not shared:
        copy_data(source, destination, whole, progress)
    os.ftruncate(destination, size)
    progress(whole, whole)
    return shared


def reflink(source: int, destination: int) -> bool:
    """Let `destination` share all blocks of `source`; False if the file system cannot do that."""
    try:
        fcntl.ioctl(destination, FICLONE, source)
    except OSError as error:
        if error.errno in CANNOT_CLONE:
            return False
        raise
    return True


def copy_data(source: int, destination: int, whole: int, progress: Callable[[int, int], object]) -> None:
    """Copy the data that is not zero within the first `whole` bytes; the rest of `destination` stays a hole."""
    for start, end in extents(source, 0, whole):
        for position in range(start, end, CHUNK):
            progress(position, whole)
            chunk = os.pread(source, min(CHUNK, end - position), position)
            for begin, stop in runs(chunk):
                _write(destination, memoryview(chunk)[begin:stop], position + begin)
            progress(position + len(chunk), whole)


def extents(fd: int, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of each range of the bytes from `start` to `end` that may hold data; the gaps are holes."""
    while start < end:
        try:
            begin = os.lseek(fd, start, os.SEEK_DATA)
            stop = os.lseek(fd, begin, os.SEEK_HOLE)
        except OSError as error:
            if error.errno == errno.ENXIO and os.lseek(fd, 0, os.SEEK_END) >= end:
                return  # a hole up to the end
            begin, stop = start, end  # a device without holes, or too short a one: the read will fail then
        if not start <= begin < stop:
            begin, stop = start, end  # a device without SEEK_DATA
        if begin >= end:
            return
        yield begin, min(stop, end)
        start = stop


def runs(chunk: bytes) -> Iterator[tuple[int, int]]:
    """Yield (begin, stop) of the ranges of `chunk` between its HOLE-sized blocks of zeros."""
    begin = None
    for position in range(0, len(chunk), HOLE):
        length = min(HOLE, len(chunk) - position)
        empty = chunk.startswith(ZEROS if length == HOLE else ZEROS[:length], position)
        if empty and begin is not None:
            yield begin, position
            begin = None
        elif not empty and begin is None:
            begin = position
    if begin is not None:
        yield begin, len(chunk)


def _write(destination, data, position):
    while data:
        written = os.pwrite(destination, data, position)
        data, position = data[written:], position + written
