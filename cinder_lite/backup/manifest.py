"""What makes a backup: its names in the store, and the one small object, written last, by which it exists.

The objects of a backup, in a store's container:

    backup_<id>/manifest                        there: the backup is whole; absent: there is no backup
    backup_<id>/progress                        the same document, while it is being made: groups finished so far
    backup_<id>/<run>/<group>/index             where the blocks of a group lie (index.py)
    backup_<id>/<run>/<group>/<segment>         stored blocks of a segment, one after the other

A run is one attempt from the beginning; one that continues what another began keeps its name, one that cannot takes a
new name and removes the old objects, so that nothing is ever mixed.
"""

import dataclasses
import hashlib
import json
import re

from cinder_lite import errors
from cinder_lite.backup import index
from cinder_lite.backup.stores import base

MAGIC = "cinder-lite-backup"
VERSION = 1
EMPTY = -1  # of Manifest.groups


#: Names in a store: parts that do not begin with a dot.
_SOUND = re.compile(r"(?!\.)[^/\0]{1,255}(?:/(?!\.)[^/\0]{1,255})+")


class BackupError(errors.Explained):
    """The backup cannot be made or restored; the text says why and, where it is known, what to do."""


class NeedsFullBackup(BackupError):
    """An incremental backup on this parent is not possible; a full one is."""


class Superseded(BackupError):
    """Another worker has taken over this backup, or it has been deleted; this one must stop."""


class Cancelled(BackupError):
    """The caller's `cancelled()` said so."""


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a backup lies: what the service keeps of it, as `container` and (from the id) `service_metadata`."""

    backup_id: str
    container: str

    @classmethod
    def of(cls, row):
        """That of a backup's row. One that was imported may have another id than its objects."""
        found = row.facts.get("service_metadata") if isinstance(row.facts, dict) else None
        return cls((found.removeprefix("backup_") if isinstance(found, str) else "") or row.id, row.container or "")

    @property
    def is_sound(self):
        """Whether a store can have objects there; records of before were not looked at when they were imported."""
        return bool(_SOUND.fullmatch(self.folder))

    @property
    def folder(self):
        return f"{self.container}/{self.prefix}"

    @property
    def prefix(self):
        """The backup's `service_metadata`: what its objects' names begin with in the container."""
        return f"backup_{self.backup_id}"

    @property
    def manifest(self):
        return f"{self.folder}/manifest"

    @property
    def progress(self):
        return f"{self.folder}/progress"


@dataclasses.dataclass(frozen=True)
class Generation:
    """One backup of a chain: its place and its run."""

    backup_id: str
    container: str
    run: str

    @property
    def folder(self):
        return f"{Place(self.backup_id, self.container).folder}/{self.run}"

    def index(self, group):
        return f"{self.folder}/{group:06}/index"

    def segment(self, group, number):
        """`number` is the segment's number in its group."""
        return f"{self.folder}/{group:06}/{number:06}"


@dataclasses.dataclass
class Manifest:
    """A backup, or how far one has come. Sizes in bytes.

    `chain` has the full backup first and this one last. `groups` has for each group, in order, whose index describes
    it: a place in the chain (an unchanged group has its parent's), or EMPTY where all is zero; while the backup is
    made it is shorter, by what is still to do. `origin` says what was read, so that only the same is gone on with.
    """

    size: int
    block_size: int
    segment_size: int
    group_segments: int
    chain: list
    origin: str = ""
    groups: list = dataclasses.field(default_factory=list)
    object_count: int = 0
    stored_bytes: int = 0

    @property
    def own(self):
        """This backup as the last of its chain."""
        return self.chain[-1]

    @property
    def run(self):
        return self.own.run

    @property
    def generation(self):
        return len(self.chain) - 1

    @property
    def group_size(self):
        return self.group_segments * self.segment_size

    @property
    def group_count(self):
        return -(-self.size // self.group_size)

    def segments(self, group):
        """(number, first byte, end) of each segment of a group."""
        first = group * self.group_size
        stop = min(first + self.group_size, self.size)
        return [(number, start, min(start + self.segment_size, stop))
                for number, start in enumerate(range(first, stop, self.segment_size))]

    def tables(self, store, group):
        """The records of a group, packed, a table for each segment. Raises Corrupt."""
        segments = len(self.segments(group))
        if group >= len(self.groups) or self.groups[group] == EMPTY:
            return [b""] * segments
        writer = self.chain[self.groups[group]]
        name = writer.index(group)
        try:
            tables = index.decode(name, store.get(name), writer.run, group)
        except base.ObjectMissing as error:
            raise base.Corrupt(name, 0, "it is missing") from error
        return tables + [b""] * (segments - len(tables))  # a parent may be of a smaller volume


def load(store, place):
    """The manifest of a backup. Raises ObjectMissing when there is none, Corrupt when it is damaged."""
    return _decode(place.manifest, store.get(place.manifest))


def load_progress(store, place):
    """How far a backup has come that is being made, or None."""
    try:
        return _decode(place.progress, store.get(place.progress))
    except (base.ObjectMissing, base.Corrupt):
        return None


def save(store, name, manifest):
    """Write a manifest or a progress document."""
    body = json.dumps(dataclasses.asdict(manifest), separators=(",", ":")).encode()
    head = f"{MAGIC} {VERSION} {hashlib.sha256(body).hexdigest()}\n".encode()
    store.put(name, (head, body))


def exists(store, place):
    """Whether the backup is there, whole."""
    try:
        store.size(place.manifest)
    except base.ObjectMissing:
        return False
    return True


def delete(store, place):
    """Remove a backup, or what an unfinished one left. None there is success.

    Backups that have this one in their chain can no longer be restored: the caller sees to it that there are none.
    """
    store.delete(place.manifest)  # first: from here on there is no backup
    store.delete(place.progress)
    store.delete_folder(place.folder)


def _decode(name, text):
    head, _, body = text.partition(b"\n")
    try:
        magic, version, digest = head.decode("ascii").split(" ")
        if magic == MAGIC and version != str(VERSION):
            raise BackupError(f"{name} has format {version}, this release knows {VERSION}: use the one that made it")
        whole = magic == MAGIC and hashlib.sha256(body).hexdigest() == digest
    except ValueError:
        whole = False
    if not whole:
        raise base.Corrupt(name, 0, "it is not a whole manifest")
    try:
        fields = json.loads(body)
        chain = [Generation(**generation) for generation in fields.pop("chain")]
        return Manifest(chain=chain, **fields)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise base.Corrupt(name, 0, "it is not a manifest") from error
