"""The file driver: volumes and snapshots are sparse raw files in one directory, shared blocks where the disk can."""

import contextlib
import errno
import os
import stat
import tempfile
import urllib.parse

from oslo_config import cfg

from cinder_lite.blockio import sparse
from cinder_lite.volume.drivers import base

OPTIONS = (
    cfg.StrOpt("file_volume_dir", default="/var/lib/cinder/volumes",
               help="Directory for the volumes of the file driver. On XFS or btrfs snapshots and clones share blocks "
                    "and take no time; on other file systems their data is copied."),
    cfg.BoolOpt("file_require_mount", default=False,
                help="Refuse to work unless file_volume_dir is a mount point, so that a disk that is not mounted does "
                     "not let volumes fill the disk underneath."),
)

PREFIXES = ("volume-", "snapshot-")
#: How often a copy begins again because the source was written to meanwhile.
ATTEMPTS = 3


class FileDriver(base.Driver, base.HasPath, base.Revertable, base.Manages, base.ClonesImages):
    """Sparse files named as Cinder names volumes.

    A copy is made under a temporary name, `.NAME.part`, and gets its own name when it is whole and on the disk.
    Snapshots of a volume in use are of one moment where blocks can be shared; elsewhere the copy is refused when the
    volume was written to meanwhile.
    """

    OPTIONS = OPTIONS

    @property
    def directory(self):
        return self.options.file_volume_dir

    def check(self):
        """A directory that is missing is made; raise BackendDown when it cannot be, or cannot be written to."""
        try:
            os.makedirs(self.directory, mode=0o750, exist_ok=True)
            if self.options.file_require_mount and not os.path.ismount(self.directory):
                raise base.BackendDown(f"nothing is mounted at {self.directory} (file_volume_dir of {self.backend}); "
                                       "mount its disk, or set file_require_mount = false")
            with tempfile.TemporaryFile(dir=self.directory):
                pass
        except OSError as error:
            raise base.BackendDown(f"{self.directory} (file_volume_dir of {self.backend}) cannot be written to: "
                                   f"{error.strerror}; mount it, change its owner or the option, or let the service's units "
                                   "write there (ReadWritePaths=)") from error

    def clean_up(self):
        with _saying(f"cannot tidy {self.directory}"):
            for entry in self._entries():
                if entry.name.startswith(tuple(f".{prefix}" for prefix in PREFIXES)) and entry.name.endswith(".part"):
                    _unlink(entry.path)

    def pools(self):
        """One pool, named after the backend.

        Promised are the sizes of the volumes, and of snapshots what they occupy: a snapshot never grows, but its blocks
        stop being shared as its volume changes.
        """
        with _saying(f"cannot measure {self.directory}"):
            disk = os.statvfs(self.directory)
            promised = 0
            for entry in self._entries():
                if entry.name.startswith(PREFIXES):
                    with contextlib.suppress(FileNotFoundError):  # removed since it was listed
                        status = entry.stat()
                        promised += status.st_size if entry.name.startswith("volume-") else status.st_blocks * 512
        return (base.PoolStats(name=self.backend, total_gb=disk.f_blocks * disk.f_frsize / base.GIB,
                               free_gb=disk.f_bavail * disk.f_frsize / base.GIB,
                               provisioned_gb=promised / base.GIB, thin=True, thick=False, multiattach=True,
                               online_extend=True),)

    def create(self, volume):
        """Make the file; one that is there is left as it is, whatever it holds."""
        if not os.path.exists(self.path(volume)):
            with _saying(f"cannot create {volume.name}"), self._making(volume.name) as made:
                os.ftruncate(made, volume.size * base.GIB)
        return {}

    def delete(self, volume):
        self._remove(volume.name)

    def extend(self, volume, new_size):
        with _saying(f"cannot extend {volume.name}"), self._opened(volume.name, os.O_WRONLY) as file:
            wanted, present = new_size * base.GIB, os.fstat(file).st_size
            if wanted < present:
                raise base.DriverError(f"{volume.name} has {present} bytes and cannot shrink to {new_size} GiB")
            os.ftruncate(file, wanted)
            os.fsync(file)

    def create_snapshot(self, snapshot):
        self._copy(snapshot.volume.name, snapshot.name, 0, _quiet)
        return {}

    def delete_snapshot(self, snapshot):
        self._remove(snapshot.name)

    def clone(self, volume, source, progress):
        self._copy(source.name, volume.name, volume.size * base.GIB, progress)
        return {}

    def from_snapshot(self, volume, snapshot, progress):
        self._copy(snapshot.name, volume.name, volume.size * base.GIB, progress)
        return {}

    def revert(self, volume, snapshot):
        """Put a copy of the snapshot in the volume's place: either the old or the new content is there, never a mix."""
        with _saying(f"cannot revert {volume.name}"), self._opened(volume.name, os.O_RDONLY) as file:
            size = os.fstat(file).st_size
        self._copy(snapshot.name, volume.name, size, _quiet, replace=True)

    def clone_image(self, volume, location):
        """An image of Glance's file store on the same disk gives its blocks, where the disk can share them."""
        url = urllib.parse.urlsplit(location)
        path = urllib.parse.unquote(url.path)
        if url.scheme != "file" or not os.access(path, os.R_OK):
            return None
        with _saying(f"cannot clone {path} to {volume.name}"), contextlib.suppress(_Unshared), open(path, "rb") as source:
            with self._making(volume.name) as made:
                if not sparse.reflink(source.fileno(), made):
                    raise _Unshared
                os.ftruncate(made, volume.size * base.GIB)
            return {}
        return None

    def names(self):
        with _saying(f"cannot list {self.directory}"):
            found = []
            for entry in self._entries():
                if entry.name.startswith(PREFIXES):
                    with contextlib.suppress(FileNotFoundError):
                        found.append((entry.name, entry.stat().st_size))
            return found

    def exists(self, volume):
        return os.path.exists(self.path(volume))

    def foreign_volumes(self):
        return self._foreign(lambda name: not name.startswith("snapshot-"))

    def foreign_snapshots(self):
        return self._foreign(lambda name: name.startswith("snapshot-"))

    def _foreign(self, wanted):
        with _saying(f"cannot list {self.directory}"):
            found = []
            for entry in sorted(self._entries(), key=lambda entry: entry.name):
                if wanted(entry.name) and not entry.name.startswith(".") and entry.is_file(follow_symlinks=False):
                    with contextlib.suppress(FileNotFoundError):
                        found.append(_found(entry.name, entry.stat()))
            return found

    def inspect(self, reference, volume=None):
        name = self.name_in(reference)
        if name != os.path.basename(name) or name.startswith("."):
            raise base.DriverError(f"'{name}' is not the name of a file in {self.directory}")
        with _saying(f"cannot look at {name}"):
            status = os.lstat(os.path.join(self.directory, name))
        if not stat.S_ISREG(status.st_mode):
            raise base.DriverError(f"{name} in {self.directory} is not a regular file")
        return _found(name, status)

    def adopt(self, volume, reference):
        self._rename(self.name_in(reference), volume.name)
        self.extend(volume, volume.size)
        return {}

    def adopt_snapshot(self, snapshot, reference):
        self._rename(self.name_in(reference), snapshot.name)
        return {}

    def _rename(self, old, new):
        before, after = (os.path.join(self.directory, name) for name in (old, new))
        with _saying(f"cannot rename {old}"):
            if old == new or (not os.path.lexists(before) and os.path.exists(after)):
                return
            if os.path.lexists(after):
                raise base.DriverError(f"cannot rename {old}: there is a file {new} already")
            os.rename(before, after)
            self._sync()

    def path(self, volume):
        return os.path.join(self.directory, volume.name)

    def snapshot_path(self, snapshot):
        return os.path.join(self.directory, snapshot.name)

    def _entries(self):
        with os.scandir(self.directory) as entries:
            yield from entries

    def _copy(self, source_name, name, size, progress, replace=False):
        """Copy a file to `name` unless that is there already; it gets `size` bytes (0: as many as the source has)."""
        if not replace and os.path.exists(os.path.join(self.directory, name)):
            return
        with _saying(f"cannot copy {source_name} to {name}"), self._opened(source_name, os.O_RDONLY) as source:
            for _ in range(ATTEMPTS):
                with contextlib.suppress(_Changed), self._making(name) as made:
                    before = _state(source)
                    if not sparse.copy(source, made, size, progress) and _state(source) != before:
                        raise _Changed
                    return
        raise base.DriverError(f"{source_name} is being written to, and {self.directory} cannot share blocks; detach "
                               "it and try again, or put file_volume_dir on XFS or btrfs")

    @contextlib.contextmanager
    def _making(self, name):
        """A new empty file (its descriptor) that gets `name`, on the disk to stay, when the block ends well."""
        part, path = os.path.join(self.directory, f".{name}.part"), os.path.join(self.directory, name)
        _unlink(part)
        file = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            yield file
            os.fsync(file)
            os.rename(part, path)
        except BaseException:
            _unlink(part)
            raise
        finally:
            os.close(file)
        self._sync()

    def _remove(self, name):
        with _saying(f"cannot delete {name}"):
            _unlink(os.path.join(self.directory, f".{name}.part"))
            if _unlink(os.path.join(self.directory, name)):
                self._sync()

    def _sync(self):
        """Bring names that were given or taken to the disk."""
        directory = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    @contextlib.contextmanager
    def _opened(self, name, flags):
        file = os.open(os.path.join(self.directory, name), flags | os.O_CLOEXEC)
        try:
            yield file
        finally:
            os.close(file)


class _Unshared(Exception):
    """The disk cannot share the blocks."""


class _Changed(Exception):
    """The source was written to while it was copied."""


@contextlib.contextmanager
def _saying(what):
    """Turn the system's errors into a DriverError that begins with `what`."""
    try:
        yield
    except OSError as error:
        missing = f" ({error.filename})" if error.filename and error.errno == errno.ENOENT else ""
        raise base.DriverError(f"{what}: {error.strerror}{missing}") from error


def _found(name, status):
    reason = None if status.st_size else "it is empty"
    if status.st_nlink > 1:
        reason = "the file has another name too, under which its data can be changed"
    return base.Found({"source-name": name}, status.st_size, reason)


def _state(file):
    status = os.fstat(file)
    return status.st_size, status.st_mtime_ns


def _unlink(path):
    """Remove a file; False when there is none."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return False
    return True


def _quiet(done, whole):
    """Progress that nobody follows."""
