"""The backup store in a directory: each object is a file, synced under a temporary name and then renamed."""

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterable, Iterator

from oslo_config import cfg

from cinder_lite.backup.stores import base
from cinder_lite.blockio import naming
from cinder_lite.concurrency import clock, randomness

INCOMING = ".incoming"  # no object's name begins with a dot
YOUNG = 60  # seconds; a new file may not be locked yet
REMEDIES = {
    errno.ENOSPC: "free space there or set backup_posix_path to a larger file system",
    errno.EDQUOT: "raise the disk quota of the backup service's user",
    errno.EACCES: "let the backup service's user write there (chown)",
    errno.EPERM: "let the backup service's user write there (chown)",
    errno.EROFS: "mount the file system writable, and let the service's unit write there (ReadWritePaths=)",
    errno.EIO: "the disk or the mount has failed; see the kernel's log",
    errno.ESTALE: "mount the file system again",
}


class PosixStore(base.Store):
    """Objects as files below `backup_posix_path`, on a local disk, or any mount that supports rename and fsync."""

    OPTIONS = (
        cfg.StrOpt("backup_posix_path", default="/var/lib/cinder/backup",
                   help="Directory for the backups."),
        cfg.StrOpt("backup_container",
                   help="Directory below backup_posix_path for backups whose owner named none. Default: one for each "
                        "backup, in two levels of directories named by the first digits of its id."),
    )

    def __init__(self, options: cfg.ConfigOpts) -> None:
        super().__init__(options)
        self.root = os.path.abspath(options.backup_posix_path)
        self.incoming = os.path.join(self.root, INCOMING)

    def check(self) -> None:
        with _failures("cannot use backup_posix_path", self.root):
            _make_folders(self.incoming)
            probe = os.path.join(self.incoming, f"check-{randomness.token_hex(16)}")
            _write(probe, (b"check",))
            os.unlink(probe)

    def container(self, backup_id: str) -> str:
        return self.options.backup_container or os.path.join(backup_id[:2], backup_id[2:4], backup_id)

    def put(self, name: str, parts: Iterable[bytes]) -> int:
        return self._put(name, parts, os.rename)

    def add(self, name: str, parts: Iterable[bytes]) -> bool:
        try:
            return self._put(name, parts, naming.name_new) > 0
        except FileExistsError:
            return False

    def _put(self, name, parts, publish):
        path = self._path(name)
        aside = os.path.join(self.incoming, randomness.token_hex(16))
        with _failures("cannot put", name):
            _make_folders(self.incoming)
            try:
                size = _write(aside, parts)
                _publish(aside, path, publish)
            finally:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(aside)
        return size

    def get(self, name: str, offset: int = 0, size: int | None = None) -> bytes:
        with _failures("cannot read", name), _missing(name), open(self._path(name), "rb", buffering=0) as file:
            if size is None:
                size = max(0, os.fstat(file.fileno()).st_size - offset)
            data = os.pread(file.fileno(), size, offset)
            while len(data) < size and (more := os.pread(file.fileno(), size - len(data), offset + len(data))):
                data += more
            return data

    def size(self, name: str) -> int:
        with _failures("cannot find", name), _missing(name):
            return os.stat(self._path(name)).st_size

    def delete(self, name: str) -> None:
        path = self._path(name)
        with _failures("cannot delete", name), contextlib.suppress(FileNotFoundError, NotADirectoryError):
            os.unlink(path)
            _sync_folder(os.path.dirname(path))
        self._drop_empty(os.path.dirname(path))

    def names(self, folder: str) -> Iterator[str]:
        for path, _, files in os.walk(self._path(folder)):
            for file in files:
                yield os.path.relpath(os.path.join(path, file), self.root)

    def delete_folder(self, folder: str) -> None:
        with _failures("cannot delete", folder):
            for path, _, files in os.walk(self._path(folder), topdown=False, onerror=_unless_gone):
                for file in files:
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(os.path.join(path, file))
                self._drop_empty(path)

    def sweep(self) -> None:
        with _failures("cannot sweep", self.incoming), contextlib.suppress(FileNotFoundError):
            for entry in os.scandir(self.incoming):
                with contextlib.suppress(FileNotFoundError):
                    if clock.time() - entry.stat().st_mtime >= YOUNG and _unlocked(entry.path):
                        os.unlink(entry.path)

    def _path(self, name):
        parts = name.split("/")
        for part in parts:
            if not part or part.startswith(".") or "\0" in part or len(os.fsencode(part)) > 255:
                raise base.StoreError(f"'{name}' cannot be a name in the backup store: its parts must be of 1 to 255 "
                                      "bytes and not begin with a dot; choose another container")
        return os.path.join(self.root, *parts)

    def _drop_empty(self, folder):
        while folder != self.root and folder.startswith(self.root + os.sep):
            try:
                os.rmdir(folder)
            except FileNotFoundError:
                pass
            except OSError:
                return
            folder = os.path.dirname(folder)


def _write(path, parts):
    """Write a new file through to the disk, locked meanwhile, so that a sweep can tell it is alive.

    flock, and not fasteners' lockf: the sweep opens and closes the file in the same process, which releases the latter.
    """
    with open(path, "xb", opener=_private) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        for part in parts:
            file.write(part)
        file.flush()
        os.fsync(file.fileno())
        return file.tell()


def _private(path, flags):
    return os.open(path, flags, 0o600)


def _publish(aside, path, publish):
    """Give the file its path by `publish`. If a concurrent delete removes the empty folder, it is created again."""
    folder = os.path.dirname(path)
    while True:
        _make_folders(folder)
        try:
            publish(aside, path)
            return _sync_folder(folder)
        except FileNotFoundError:
            if not os.path.exists(aside):
                raise


def _make_folders(path):
    """Create a directory and its parents, durably."""
    if os.path.isdir(path):
        return
    _make_folders(os.path.dirname(path))
    with contextlib.suppress(FileExistsError, FileNotFoundError):  # a failed rename creates it again
        os.mkdir(path, 0o700)
        _sync_folder(os.path.dirname(path))


def _sync_folder(path):
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _unlocked(path):
    with open(path, "rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


@contextlib.contextmanager
def _failures(doing, name):
    """Turn OSError into StoreError with a remedy."""
    try:
        yield
    except FileExistsError:
        raise  # an answer, not a failure: see `add`
    except OSError as error:
        remedy = REMEDIES.get(error.errno)
        raise base.StoreError(f"{doing} {name}: {error.strerror}" + (f"; {remedy}" if remedy else "")) from error


@contextlib.contextmanager
def _missing(name):
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        raise base.ObjectMissing(name) from error


def _unless_gone(error):
    if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
        raise error
