"""The interface of backup stores: named objects that exist completely or not at all.

A name is "container/part/part": the API shows the container (a directory, or the first part of a key), the backup
format chooses the rest. A store is independent of the backup format. It is called from native threads, concurrently,
and every call can be repeated after a crash.
"""

import abc
import typing
from collections.abc import Iterable, Iterator

from oslo_config import cfg

from cinder_lite import errors


class StoreError(errors.Explained):
    """The store refused or failed; the text gives the failure and, if known, the remedy."""

    for_members = "the backup store could not do it; an administrator can look up the reason by the id of the request"


class ObjectMissing(StoreError):
    """There is no object of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"object {name} is not in the store")
        self.for_members = "the store has lost a part of the backup; make a new full backup"
        self.name = name


class Corrupt(StoreError):
    """The store returned damaged data; the text names the object and the byte offset."""

    def __init__(self, name: str, offset: int, reason: str) -> None:
        super().__init__(f"object {name} is damaged at byte {offset}: {reason}; restore it from a copy of the store, "
                         "or make a new full backup")
        self.for_members = "what the store has of the backup is damaged; make a new full backup"
        self.name, self.offset, self.reason = name, offset, reason


class ImagePool(typing.Protocol):
    """A pool in which Cinder kept backups as images. Each method may raise StoreError.

    `backup` and `volume` are ids, `base` is the image's name if Cinder recorded it, and `copied` is whether the source
    was a snapshot.
    """

    def record(self, backup: str) -> str | None:
        """Cinder's JSON about the volume, None if there is none."""

    def location(self, backup: str, volume: str, base: str | None, copied: bool) -> dict | None:
        """The location of the backup's bytes for `blockio.device`, None if the backup does not exist."""

    def delete(self, backup: str, volume: str, base: str | None, copied: bool) -> None:
        """Remove the backup; a missing one is not an error."""


class Store(abc.ABC):
    """The methods of every store. Each may raise StoreError."""

    #: Options of the store, registered in the section of the backup settings.
    OPTIONS: typing.ClassVar[tuple[cfg.Opt, ...]] = ()
    #: Most bytes of an object; None: unlimited.
    largest: typing.ClassVar[int | None] = None

    def __init__(self, options: cfg.ConfigOpts) -> None:
        """`options` is the section of the backup settings."""
        self.options = options

    @abc.abstractmethod
    def check(self) -> None:
        """Raise StoreError with the reason and the remedy if objects cannot be written now."""

    @abc.abstractmethod
    def container(self, backup_id: str) -> str:
        """The container of a backup whose owner named none."""

    @abc.abstractmethod
    def put(self, name: str, parts: Iterable[bytes]) -> int:
        """Create or replace an object from the concatenated parts. Returns its size in bytes.

        On return the object is durable and visible; before, and if this raises, nothing of it is visible. `parts` is
        iterated once, and errors that it raises are passed on unchanged. A store that cannot stream collects the parts:
        callers keep objects below `backup_file_size`.
        """

    def add(self, name: str, parts: Iterable[bytes]) -> bool:
        """The same unless there is an object of that name already, then False.

        A store that can do both in one operation overrides this: of two workers, one may have lost the backup.
        """
        return not self.has(name) and self.put(name, parts) > 0

    @abc.abstractmethod
    def get(self, name: str, offset: int = 0, size: int | None = None) -> bytes:
        """Up to `size` bytes of an object from `offset` on, None for all of the rest; fewer if the object ends earlier.

        Raises ObjectMissing.
        """

    @abc.abstractmethod
    def size(self, name: str) -> int:
        """The size of an object in bytes, without reading it. Raises ObjectMissing."""

    def has(self, name: str) -> bool:
        """Whether there is an object of that name."""
        try:
            self.size(name)
        except ObjectMissing:
            return False
        return True

    @abc.abstractmethod
    def delete(self, name: str) -> None:
        """Remove an object, durably on return; a missing one is not an error."""

    @abc.abstractmethod
    def names(self, folder: str) -> Iterator[str]:
        """The names of all objects whose name begins with `folder` and a slash, in any order."""

    def delete_folder(self, folder: str) -> None:
        """Remove all objects whose name begins with `folder` and a slash."""
        for name in self.names(folder):
            self.delete(name)

    def sweep(self) -> None:
        """Remove temporary files or unfinished uploads of interrupted puts."""
