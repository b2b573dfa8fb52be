"""The file driver: volumes and snapshots are sparse raw files in one directory, with shared blocks if possible."""

import contextlib
import errno
import os
import stat
import tempfile
import typing
import urllib.parse
from collections.abc import Callable, Iterable, Iterator

from oslo_config import cfg

from cinder_lite.blockio import naming, sparse
from cinder_lite.concurrency import randomness
from cinder_lite.volume.drivers import base

OPTIONS = (
    cfg.StrOpt("file_volume_dir", default="/var/lib/cinder/volumes",
               help="Directory for the volumes of the file driver. On XFS and btrfs, snapshots and clones share blocks "
                    "and are instant; on other file systems their data is copied."),
    cfg.BoolOpt("file_require_mount", default=False,
                help="Treat the backend as down unless file_volume_dir is a mount point, so that volumes cannot fill "
                     "the underlying disk while theirs is not mounted."),
)

PREFIXES = ("volume-", "snapshot-")
#: The end of the name of a folder of incomplete files; of such a file in a former release.
PART = ".part"
#: Attempts at a copy, which is repeated if the source was modified meanwhile.
ATTEMPTS = 3


class FileDriver(base.Driver, base.HasPath, base.Revertable, base.ManagesExisting, base.ClonesImages):
    """Sparse files with Cinder's names of volumes.

    A copy is in the folder `.NAME.part` until it is complete and on the disk. Each call makes a file of its own there
    and removes those of former calls: a call that was stopped meanwhile, and that another one has repeated, fails when
    it gives its file the final name. Snapshots of a volume in use are
    consistent if blocks can be shared; otherwise the copy fails if the volume was modified meanwhile.
    """

    OPTIONS: typing.ClassVar[tuple[cfg.Opt, ...]] = OPTIONS
    #: The access mode of new files.
    mode = 0o600

    @property
    def directory(self) -> str:
        return self.options.file_volume_dir

    def check(self) -> None:
        """Create the directory if it is missing. Raises BackendDown if that fails or it is not writable."""
        try:
            os.makedirs(self.directory, mode=0o750, exist_ok=True)
            if self.options.file_require_mount and not os.path.ismount(self.directory):
                raise base.BackendDown(f"nothing is mounted at {self.directory} (file_volume_dir of {self.backend}); "
                                       "mount its disk, or set file_require_mount = false")
            with tempfile.TemporaryFile(dir=self.directory):
                pass
        except OSError as error:
            raise base.BackendDown(f"{self.directory} (file_volume_dir of {self.backend}) cannot be written to: "
                                   f"{error.strerror}; mount it, change its owner or the option, or let the service's "
                                   "units write there (ReadWritePaths=)") from error

    def clean_up(self) -> None:
        with as_driver_errors(f"cannot clean up {self.directory}"):
            for folder in self.incomplete():
                remove_part(folder)

    def incomplete(self) -> Iterator[str]:
        """The paths of the folders of incomplete files."""
        for entry in self._entries():
            if entry.name.startswith(tuple(f".{prefix}" for prefix in PREFIXES)) and entry.name.endswith(PART):
                yield entry.path

    def pools(self) -> tuple[base.PoolStats, ...]:
        """One pool, named after the backend.

        The provisioned capacity is the sizes of volumes and the occupied blocks of snapshots: a snapshot never grows,
        but its blocks stop being shared when its volume changes.
        """
        with as_driver_errors(f"cannot measure {self.directory}"):
            disk = os.statvfs(self.directory)
            provisioned = 0
            for entry in self._entries():
                if entry.name.startswith(PREFIXES):
                    with contextlib.suppress(FileNotFoundError):  # removed since it was listed
                        status = entry.stat()
                        is_volume = entry.name.startswith("volume-")
                        provisioned += status.st_size if is_volume else status.st_blocks * 512
        return (base.PoolStats(name=self.backend, total_gb=disk.f_blocks * disk.f_frsize / base.GIB,
                               free_gb=disk.f_bavail * disk.f_frsize / base.GIB,
                               provisioned_gb=provisioned / base.GIB, thin=True, thick=False, multiattach=True,
                               online_extend=True),)

    def create(self, volume: base.Volume) -> dict:
        """Create the file; an existing one stays unchanged."""
        if not os.path.exists(self.path(volume)):
            with as_driver_errors(f"cannot create {volume.name}"), self._new_file(volume.name) as made:
                os.ftruncate(made, volume.size * base.GIB)
        return {}

    def delete(self, volume: base.Volume) -> None:
        self._remove(volume.name)

    def extend(self, volume: base.Volume, new_size: int) -> None:
        with as_driver_errors(f"cannot extend {volume.name}"), self._opened(volume.name, os.O_WRONLY) as file:
            wanted, present = new_size * base.GIB, os.fstat(file).st_size
            if wanted < present:
                raise base.DriverError(f"{volume.name} has {present} bytes and cannot shrink to {new_size} GiB")
            os.ftruncate(file, wanted)
            os.fsync(file)

    def create_snapshot(self, snapshot: base.Snapshot) -> dict:
        self._copy(snapshot.volume.name, snapshot.name, 0, _quiet)
        return {}

    def delete_snapshot(self, snapshot: base.Snapshot) -> None:
        self._remove(snapshot.name)

    def clone(self, volume: base.Volume, source: base.Volume, progress: Callable[[int, int], object]) -> dict:
        self._copy(source.name, volume.name, volume.size * base.GIB, progress)
        return {}

    def from_snapshot(self, volume: base.Volume, snapshot: base.Snapshot,
                      progress: Callable[[int, int], object]) -> dict:
        self._copy(snapshot.name, volume.name, volume.size * base.GIB, progress)
        return {}

    def revert(self, volume: base.Volume, snapshot: base.Snapshot) -> None:
        """Replace the volume by a copy of the snapshot, atomically."""
        with as_driver_errors(f"cannot revert {volume.name}"), self._opened(volume.name, os.O_RDONLY) as file:
            size = os.fstat(file).st_size
        self._copy(snapshot.name, volume.name, size, _quiet, replace=True)

    def clone_image(self, volume: base.Volume, location: str) -> dict | None:
        """Share the blocks of an image in Glance's file store on the same file system, if that supports it."""
        url = urllib.parse.urlsplit(location)
        path = urllib.parse.unquote(url.path)
        if url.scheme != "file" or not os.access(path, os.R_OK):
            return None
        with (as_driver_errors(f"cannot clone {path} to {volume.name}"), contextlib.suppress(_Unshared),
              open(path, "rb") as source):
            with self._new_file(volume.name) as made:
                if not sparse.reflink(source.fileno(), made):
                    raise _Unshared
                os.ftruncate(made, volume.size * base.GIB)
            return {}
        return None

    def names(self) -> Iterable[tuple[str, int | None]]:
        with as_driver_errors(f"cannot list {self.directory}"):
            found = []
            for entry in self._entries():
                if entry.name.startswith(PREFIXES):
                    with contextlib.suppress(FileNotFoundError):
                        found.append((entry.name, entry.stat().st_size))
            return found

    def exists(self, volume: base.Volume) -> bool:
        return os.path.exists(self.path(volume))

    def existing_volumes(self) -> list[base.Manageable]:
        return self._foreign(lambda name: not name.startswith("snapshot-"))

    def existing_snapshots(self) -> list[base.Manageable]:
        return self._foreign(lambda name: name.startswith("snapshot-"))

    def _foreign(self, wanted):
        with as_driver_errors(f"cannot list {self.directory}"):
            found = []
            for entry in sorted(self._entries(), key=lambda entry: entry.name):
                if wanted(entry.name) and not entry.name.startswith(".") and entry.is_file(follow_symlinks=False):
                    with contextlib.suppress(FileNotFoundError):
                        found.append(_found(entry.name, entry.stat()))
            return found

    def inspect(self, reference: dict, volume: base.Volume | None = None) -> base.Manageable:
        name = self.name_of(reference)
        if name != os.path.basename(name) or name.startswith("."):
            raise base.DriverError(f"'{name}' is not the name of a file in {self.directory}")
        with as_driver_errors(f"cannot inspect {name}"):
            status = os.lstat(os.path.join(self.directory, name))
        if not stat.S_ISREG(status.st_mode):
            raise base.DriverError(f"{name} in {self.directory} is not a regular file")
        return _found(name, status)

    def manage(self, volume: base.Volume, reference: dict) -> dict:
        self._rename(self.name_of(reference), volume.name)
        self.extend(volume, volume.size)
        return {}

    def manage_snapshot(self, snapshot: base.Snapshot, reference: dict) -> dict:
        self._rename(self.name_of(reference), snapshot.name)
        return {}

    def _rename(self, old, new):
        before, after = (os.path.join(self.directory, name) for name in (old, new))
        with as_driver_errors(f"cannot rename {old}"):
            if old == new or (not os.path.lexists(before) and os.path.exists(after)):
                return
            if os.path.lexists(after):
                raise base.DriverError(f"cannot rename {old}: there is a file {new} already")
            os.rename(before, after)
            self._sync()

    def path(self, volume: base.Volume) -> str:
        return os.path.join(self.directory, volume.name)

    def snapshot_path(self, snapshot: base.Snapshot) -> str:
        return os.path.join(self.directory, snapshot.name)

    def _entries(self):
        with os.scandir(self.directory) as entries:
            yield from entries

    def _copy(self, source_name, name, size, progress, replace=False):
        """Copy a file to `name` unless that exists; the copy has `size` bytes (0: the source's size)."""
        if not replace and os.path.exists(os.path.join(self.directory, name)):
            return
        with (as_driver_errors(f"cannot copy {source_name} to {name}"),
              self._opened(source_name, os.O_RDONLY) as source):
            for _ in range(ATTEMPTS):
                with contextlib.suppress(_Changed), self._new_file(name, replace) as made:
                    before = self._state(source_name)
                    if not sparse.copy(source, made, size, progress) and self._state(source_name) != before:
                        raise _Changed
                    return
        raise base.DriverError(f"{source_name} is being written to, and {self.directory} cannot share blocks; detach "
                               "it and try again, or put file_volume_dir on XFS or btrfs")

    @contextlib.contextmanager
    def _new_file(self, name, replace=False):
        """A new empty file (its descriptor), which is synced and renamed to `name` when the block succeeds.

        Unless `replace`, an existing file of that name stays.
        """
        path = os.path.join(self.directory, name)
        folder = self._part(name)
        remove_part(folder)
        file, part = _new_part(folder)
        try:
            os.fchmod(file, self.mode)
            yield file
            os.fsync(file)
            if replace:
                os.rename(part, path)
            else:
                with contextlib.suppress(FileExistsError):
                    naming.name_new(part, path)
        finally:
            os.close(file)
            _unlink(part)
            with contextlib.suppress(OSError):
                os.rmdir(folder)
        self._sync()

    def _remove(self, name):
        with as_driver_errors(f"cannot delete {name}"):
            remove_part(self._part(name))
            if _unlink(os.path.join(self.directory, name)):
                self._sync()

    def _state(self, name):
        # Opened anew: a client of NFS asks the server for the present times when a file is opened.
        with self._opened(name, os.O_RDONLY) as file:
            status = os.fstat(file)
        return status.st_size, status.st_mtime_ns

    def _part(self, name):
        return os.path.join(self.directory, f".{name}{PART}")

    def _sync(self):
        """Make changes of names durable."""
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
    """The source was modified while it was copied."""


@contextlib.contextmanager
def as_driver_errors(what: str) -> Iterator[None]:
    """Turn OSError into a DriverError whose text begins with `what`."""
    try:
        yield
    except OSError as error:
        missing = f" ({error.filename})" if error.filename and error.errno == errno.ENOENT else ""
        raise base.DriverError(f"{what}: {error.strerror}{missing}") from error


def _found(name, status):
    reason = None if status.st_size else "it is empty"
    if status.st_nlink > 1:
        reason = "the file has another name too, under which its data can be changed"
    return base.Manageable({"source-name": name}, status.st_size, reason)


def _new_part(folder):
    """(descriptor, path) of a new file in a new folder, which a former call may remove when it ends."""
    part = os.path.join(folder, randomness.token_hex(8))
    while True:
        with contextlib.suppress(FileExistsError):
            os.mkdir(folder, 0o700)
        with contextlib.suppress(FileNotFoundError):
            return os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), part


def remove_part(folder: str) -> None:
    """Remove incomplete files."""
    try:
        for name in os.listdir(folder):
            _unlink(os.path.join(folder, name))
        os.rmdir(folder)
    except NotADirectoryError:
        _unlink(folder)
    except FileNotFoundError:
        pass


def _unlink(path):
    """Remove a file; False if there is none."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return False
    return True


def _quiet(done, whole):
    """Ignore progress."""
