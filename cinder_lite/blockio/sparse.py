"""How a raw file is copied without its holes: shared blocks where the file system can, else its data alone."""

import errno
import fcntl
import os

#: ioctl of linux/fs.h: the whole file shares the blocks of another (XFS, btrfs, bcachefs, NFS 4.2, overlays of them).
FICLONE = 0x40049409
CANNOT_CLONE = (errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV, errno.EINVAL, errno.ENOSYS)

#: Bytes that are read at once, and the smallest run of zeros that becomes a hole.
CHUNK = 4 * 1024**2
HOLE = 64 * 1024
ZEROS = bytes(HOLE)


def copy(source, destination, size, progress):
    """Give the empty file `destination` the content of `source` (both descriptors).

    It gets `size` bytes, with zeros at the end or without what lies beyond, or as many as the source with a size of 0.

    `progress(done, whole)` is called in bytes of the source. Returns True when blocks are shared. Raises OSError.
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


def reflink(source, destination):
    """Let `destination` share all blocks of `source`; False where the file system cannot do that."""
    try:
        fcntl.ioctl(destination, FICLONE, source)
    except OSError as error:
        if error.errno in CANNOT_CLONE:
            return False
        raise
    return True


def copy_data(source, destination, whole, progress):
    """Copy what is data and not zeros within the first `whole` bytes; the rest of `destination` stays a hole."""
    for start, end in extents(source, whole):
        for position in range(start, end, CHUNK):
            chunk = os.pread(source, min(CHUNK, end - position), position)
            for begin, stop in runs(chunk):
                _write(destination, memoryview(chunk)[begin:stop], position + begin)
            progress(position + len(chunk), whole)


def extents(source, whole):
    """Yield (start, end) of each part of the first `whole` bytes that may hold data, as the file system knows it."""
    end = 0
    while end < whole:
        try:
            start = os.lseek(source, end, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a hole up to the end
                return
            raise
        if start >= whole:
            return
        end = min(os.lseek(source, start, os.SEEK_HOLE), whole)
        yield start, end


def runs(chunk):
    """Yield (begin, stop) of the parts of `chunk` that are more than blocks of zeros of HOLE bytes."""
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
