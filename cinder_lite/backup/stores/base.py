"""What a store is: named objects that are there whole or not at all, in directories, S3, Swift or Ceph alike.

A name is "container/part/part": the container is what the API shows (a directory, or the first part of a key), the rest
is chosen by the format. A store knows nothing of backups. It is called from native threads, several calls at a time,
and any call may come again after a crash in the middle of it.
"""

import abc
import typing

from cinder_lite import errors


class StoreError(errors.Explained):
    """The store refused or failed; the text says what failed and, where it is known, what to do."""

    for_members = "the backup store could not do it; an administrator can look up the reason by the id of the request"


class ObjectMissing(StoreError):
    """There is no object of that name."""

    def __init__(self, name):
        super().__init__(f"object {name} is not in the store")
        self.for_members = "the store has lost a part of the backup; make a new full backup"
        self.name = name


class Corrupt(StoreError):
    """What the store returned is not what was put; names the object and the place in it (bytes)."""

    def __init__(self, name, offset, reason):
        super().__init__(f"object {name} is damaged at byte {offset}: {reason}; restore it from a copy of the store, "
                         "or make a new full backup")
        self.for_members = "what the store has of the backup is damaged; make a new full backup"
        self.name, self.offset, self.reason = name, offset, reason


class Store(abc.ABC):
    """The methods every store has. Each may raise StoreError."""

    #: Options of the store, registered in the section that the service reads its backup settings from.
    OPTIONS: typing.ClassVar[tuple] = ()
    #: Bytes that an object may have; None: as many as there are.
    largest: typing.ClassVar[int | None] = None

    def __init__(self, options):
        """`options` is that section of the configuration."""
        self.options = options

    @abc.abstractmethod
    def check(self):
        """Find out whether objects can be put now; raise StoreError with the reason and the remedy when not."""

    @abc.abstractmethod
    def container(self, backup_id):
        """The container for a backup whose owner named none."""

    @abc.abstractmethod
    def put(self, name, parts):
        """Make or replace an object of the parts, one after the other; returns its size in bytes.

        On return the object is durable and visible; before, and for ever if this raises, nothing of it is. `parts` is
        an iterable of bytes that is gone through once and may itself raise; whatever it raises comes out of here
        unchanged. A store that cannot stream collects the parts: callers keep an object below `backup_file_size`.
        """

    @abc.abstractmethod
    def get(self, name, offset=0, size=None):
        """So many bytes of an object from `offset` on (all of the rest for None), fewer where it ends before.

        Raises ObjectMissing.
        """

    @abc.abstractmethod
    def size(self, name):
        """The size of an object in bytes, without reading it. Raises ObjectMissing."""

    @abc.abstractmethod
    def delete(self, name):
        """Remove an object, durably on return. One that does not exist is removed already."""

    @abc.abstractmethod
    def names(self, folder):
        """Iterate over the names of all objects whose name begins with `folder` and a slash, in any order."""

    def delete_folder(self, folder):
        """Remove all objects whose name begins with `folder` and a slash."""
        for name in self.names(folder):
            self.delete(name)

    def sweep(self):
        """Remove what puts that were cut off left behind (temporary files, unfinished uploads), and nothing else's."""
