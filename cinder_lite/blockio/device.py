"""Opens the bytes of a volume for reading and writing, wherever its driver keeps them.

A driver describes the location as plain data, which can be sent to another process of the same host: {kind: details}.
{"path": ...} is a file or block device; any other kind is an entry point of NAMESPACE, which leads to an Opener.
"""

import contextlib
import ctypes
import errno
import os
import stat
import typing
from collections.abc import Callable, Iterator, Mapping

from cinder_lite import errors
from cinder_lite.blockio import sparse
from cinder_lite.conf import plugins

NAMESPACE = "cinder_lite.blockio"
KEEP_SIZE, PUNCH_HOLE = 1, 2  # flags of fallocate(2)
NO_HOLES_TO_PUNCH = (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.ENODEV)
PIECE = 1024**2
#: Bytes that are zeroed between two checks of a fence.
ZEROED = 1024**3


class ContentError(errors.Explained):
    """The volume's device cannot be read or written; the text names the device and the position."""

    for_members = errors.STORAGE


class Opener(typing.Protocol):
    """A module or object that opens locations of one kind. Both results are context managers.

    The results have the methods of Source and Target below.
    """

    @property
    def Source(self) -> Callable[[typing.Any], typing.Any]: ...
    @property
    def Target(self) -> Callable[[typing.Any], typing.Any]: ...


def source(where: Mapping) -> typing.Any:
    """A reader of the device at that location, to be entered as a context. Raises Misconfigured for an unknown kind."""
    opener, details = _opener(where)
    return opener.Source(details)


#: A context that guards a write: see cinder_lite.jobs.fence.
Fence = contextlib.AbstractContextManager[object]
#: Guards nothing: for what no other process writes.
UNFENCED: Fence = contextlib.nullcontext()


def target(where: Mapping, fence: Fence = UNFENCED) -> typing.Any:
    """A writer of the device at that location, to be entered as a context. Each write is guarded by `fence`.

    Raises Misconfigured for an unknown kind.
    """
    opener, details = _opener(where)
    return _Fenced(opener.Target(details), fence)


def _opener(where):
    """(Opener, details) of a location."""
    (kind, details), = where.items()
    return _Paths if kind == "path" else plugins.load(NAMESPACE, kind), details


class Source:
    """Reads a file or block device while the context is open. Thread-safe."""

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = path

    def __enter__(self) -> typing.Self:
        with _as_content_errors("open", self.path):
            self._fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        return self

    def __exit__(self, *exception: object) -> None:
        os.close(self._fd)

    def identity(self) -> str:
        """A text that changes when the source is replaced or, for a file, modified; "" if that cannot be detected."""
        status = os.fstat(self._fd)
        return f"{status.st_dev}:{status.st_ino}:{status.st_mtime_ns}" if stat.S_ISREG(status.st_mode) else ""

    def extents(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield (start, end) of each range of bytes that may hold data; the gaps between them are holes."""
        yield from sparse.extents(self._fd, start, end)

    def read(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes from `offset`. Raises ContentError if the source ends earlier."""
        with _as_content_errors(f"read at byte {offset}", self.path):
            data = os.pread(self._fd, length, offset)
            while len(data) < length:
                more = os.pread(self._fd, length - len(data), offset + len(data))
                if not more:
                    raise ContentError(f"{self.path} ends at byte {offset + len(data)}, before the volume's size")
                data += more
        return data


class Target:
    """Writes a file or block device while the context is open. Thread-safe.

    `punch(fd, start, length)` makes a hole and returns whether the device supports holes.
    """

    def __init__(self, path: str | os.PathLike, punch: Callable[[int, int, int], bool] | None = None) -> None:
        self.path, self._punch = path, punch or punch_hole

    def __enter__(self) -> typing.Self:
        with _as_content_errors("open", self.path):
            self._fd = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        return self

    def __exit__(self, *exception: object) -> None:
        os.close(self._fd)

    def size(self) -> int:
        """The size in bytes."""
        with _as_content_errors("measure", self.path):
            return os.lseek(self._fd, 0, os.SEEK_END)

    def write(self, offset: int, data: bytes | memoryview) -> None:
        """Write, perhaps in the background: then `sync` waits for it and raises its error."""
        with _as_content_errors(f"write at byte {offset}", self.path):
            written = 0
            while written < len(data):
                written += os.pwrite(self._fd, memoryview(data)[written:], offset + written)

    def zero(self, start: int, end: int) -> None:
        """Make a range read as zeros: with a hole if the device supports it, else by overwriting what is not zero."""
        with _as_content_errors(f"zero from byte {start}", self.path):
            if start < end and not self._punch(self._fd, start, end - start):
                self._overwrite(start, end)

    def _overwrite(self, start, end):
        for begin, stop in sparse.extents(self._fd, start, end):
            for offset in range(begin, stop, PIECE):
                length = min(PIECE, stop - offset)
                if os.pread(self._fd, length, offset).strip(b"\0"):
                    self.write(offset, bytes(length))

    def sync(self) -> None:
        """Flush written data to stable storage."""
        with _as_content_errors("sync", self.path):
            os.fsync(self._fd)


class _Fenced:
    """A target each of whose writes enters a fence, which raises when this process must not write any more."""

    def __init__(self, target: typing.Any, fence: Fence) -> None:
        self._target, self._fence = target, fence
        self.size, self.sync = target.size, target.sync

    def __enter__(self) -> typing.Self:
        # A writer of an image begins to exclude others when it is opened.
        with self._fence:
            self._target.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._target.__exit__(*exception)

    def write(self, offset: int, data: bytes | memoryview) -> None:
        with self._fence:
            self._target.write(offset, data)

    def zero(self, start: int, end: int) -> None:
        for begin in range(start, end, ZEROED):
            with self._fence:
                self._target.zero(begin, min(begin + ZEROED, end))


class _Paths:
    """The Opener of files and block devices."""

    Source, Target = Source, Target


def punch_hole(fd: int, start: int, length: int) -> bool:
    """Turn the range into a hole with fallocate(2); False if the device does not support that."""
    libc = ctypes.CDLL(None, use_errno=True)
    mode = ctypes.c_int(PUNCH_HOLE | KEEP_SIZE)
    if libc.fallocate64(fd, mode, ctypes.c_int64(start), ctypes.c_int64(length)) == 0:
        return True
    if ctypes.get_errno() in NO_HOLES_TO_PUNCH:
        return False
    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


@contextlib.contextmanager
def _as_content_errors(doing, path):
    try:
        yield
    except OSError as error:
        raise ContentError(f"cannot {doing} of {path}: {error.strerror}") from error
