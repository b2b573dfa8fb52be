"""Reads and writes manifests of backups, and names their objects in the store.

The objects of a backup, in a store's container:

    backup_<id>/manifest                        written last; without it there is no backup
    backup_<id>/progress                        the same document during the backup: the completed groups
    backup_<id>/<run>/<group>/index             the locations of a group's blocks (index.py)
    backup_<id>/<run>/<group>/<segment>         the stored blocks of a segment, concatenated

A run is one attempt, so that a worker that has lost the job replaces no object of the one that has it. An attempt that
resumes earlier ones refers to the groups that they have completed; one that cannot resume removes all old objects.
"""

import dataclasses
import hashlib
import json
import re
import typing

from cinder_lite import db, errors
from cinder_lite.backup import index
from cinder_lite.backup.stores import base

MAGIC = "cinder-lite-backup"
VERSION = 1
EMPTY = -1  # of Manifest.groups


#: Valid names in a store: parts that do not begin with a dot.
_VALID = re.compile(r"(?!\.)[^/\0]{1,255}(?:/(?!\.)[^/\0]{1,255})+")


class BackupError(errors.Explained):
    """The backup cannot be made or restored; the text gives the reason and, if known, the remedy."""


class NeedsFullBackup(BackupError):
    """No incremental backup based on this parent is possible, only a full one."""


class Superseded(BackupError):
    """Another worker has taken over this backup, or it was deleted; this worker must stop."""


class Cancelled(BackupError):
    """The caller cancelled the work by `cancelled()`."""


@dataclasses.dataclass(frozen=True)
class Place:
    """The location of a backup: its `container`, and the id in its `service_metadata`."""

    backup_id: str
    container: str

    @classmethod
    def of(cls, row: db.Row) -> typing.Self:
        """The location of a backup's row. The objects of an imported backup may have another id."""
        found = row.facts.get("service_metadata") if isinstance(row.facts, dict) else None
        return cls((found.removeprefix("backup_") if isinstance(found, str) else "") or row.id, row.container or "")

    @property
    def is_valid(self) -> bool:
        """Whether the names are valid; records imported by early releases were not validated."""
        return bool(_VALID.fullmatch(self.folder))

    @property
    def folder(self) -> str:
        return f"{self.container}/{self.prefix}"

    @property
    def prefix(self) -> str:
        """The backup's `service_metadata`: the prefix of its objects' names in the container."""
        return f"backup_{self.backup_id}"

    @property
    def manifest(self) -> str:
        return f"{self.folder}/manifest"

    @property
    def progress(self) -> str:
        return f"{self.folder}/progress"


@dataclasses.dataclass(frozen=True)
class Generation:
    """One backup of a chain: its location and its run."""

    backup_id: str
    container: str
    run: str

    @property
    def folder(self) -> str:
        return f"{Place(self.backup_id, self.container).folder}/{self.run}"

    def index(self, group: int) -> str:
        return f"{self.folder}/{group:06}/index"

    def segment(self, group: int, number: int) -> str:
        """The object of a segment; `number` is the segment's number in its group."""
        return f"{self.folder}/{group:06}/{number:06}"


@dataclasses.dataclass
class Manifest:
    """A backup, or the progress of one. Sizes are in bytes.

    `chain` has the full backup first and this one last; a backup that was interrupted is in it once for each of its
    runs. `groups` has for each group, in order, the index in `chain` of
    the backup whose index describes it (an unchanged group has its parent's), or EMPTY if it is all zeros; during the
    backup it has only the completed groups. `origin` identifies the content, so that only the same content is resumed.
    """

    size: int
    block_size: int
    segment_size: int
    group_segments: int
    chain: list[Generation]
    origin: str = ""
    groups: list[int] = dataclasses.field(default_factory=list)
    object_count: int = 0
    stored_bytes: int = 0

    @property
    def own(self) -> Generation:
        """This backup as the last of its chain."""
        return self.chain[-1]

    @property
    def run(self) -> str:
        return self.own.run

    @property
    def generation(self) -> int:
        return len(self.chain) - 1

    @property
    def group_size(self) -> int:
        return self.group_segments * self.segment_size

    @property
    def group_count(self) -> int:
        return -(-self.size // self.group_size)

    def segments(self, group: int) -> list[tuple[int, int, int]]:
        """(number, first byte, end) of each segment of a group."""
        first = group * self.group_size
        stop = min(first + self.group_size, self.size)
        return [(number, start, min(start + self.segment_size, stop))
                for number, start in enumerate(range(first, stop, self.segment_size))]

    def tables(self, store: base.Store, group: int) -> list[bytes]:
        """The packed records of a group, one table for each segment. Raises Corrupt."""
        segments = len(self.segments(group))
        if group >= len(self.groups) or self.groups[group] == EMPTY:
            return [b""] * segments
        writer = self.chain[self.groups[group]]
        name = writer.index(group)
        try:
            tables = index.decode(name, store.get(name), writer.run, group)
        except base.ObjectMissing as error:
            raise base.Corrupt(name, 0, "it is missing") from error
        return tables + [b""] * (segments - len(tables))  # the parent's volume may have been smaller


def load(store: base.Store, place: Place) -> Manifest:
    """The manifest of a backup. Raises ObjectMissing if there is none, Corrupt if it is damaged."""
    return _decode(place.manifest, store.get(place.manifest))


def load_progress(store: base.Store, place: Place) -> Manifest | None:
    """The progress of an unfinished backup, or None."""
    try:
        return _decode(place.progress, store.get(place.progress))
    except (base.ObjectMissing, base.Corrupt):
        return None


def save(store: base.Store, name: str, manifest: Manifest) -> None:
    """Write a manifest or a progress document."""
    store.put(name, _encoded(manifest))


def add(store: base.Store, place: Place, manifest: Manifest) -> bool:
    """Write the manifest unless there is one; returns whether it did."""
    return store.add(place.manifest, _encoded(manifest))


def _encoded(manifest):
    body = json.dumps(dataclasses.asdict(manifest), separators=(",", ":")).encode()
    head = f"{MAGIC} {VERSION} {hashlib.sha256(body).hexdigest()}\n".encode()
    return head, body


def exists(store: base.Store, place: Place) -> bool:
    """Whether the complete backup exists."""
    return store.has(place.manifest)


def delete(store: base.Store, place: Place) -> None:
    """Remove a backup, complete or not; a missing one is not an error.

    Backups with this one in their chain cannot be restored any more; the caller makes sure that there are none.
    """
    store.delete(place.manifest)  # first, after which the backup does not exist
    store.delete(place.progress)
    store.delete_folder(place.folder)


def _decode(name, text):
    head, _, body = text.partition(b"\n")
    try:
        magic, version, digest = head.decode("ascii").split(" ")
        if magic == MAGIC and version != str(VERSION):
            raise BackupError(f"{name} has format {version}, this release supports {VERSION}: use the release that "
                              "made it")
        whole = magic == MAGIC and hashlib.sha256(body).hexdigest() == digest
    except ValueError:
        whole = False
    if not whole:
        raise base.Corrupt(name, 0, "it is not a complete manifest")
    try:
        fields = json.loads(body)
        chain = [Generation(**generation) for generation in fields.pop("chain")]
        return Manifest(chain=chain, **fields)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise base.Corrupt(name, 0, "it is not a manifest") from error
