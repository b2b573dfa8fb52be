"""Making a backup: what is read, what of it is stored, and from where a run that was cut off goes on.

Everything here blocks and uses native threads: call it by `concurrency.in_thread`. `progress` and `cancelled` are
called in that thread, between segments, and must not wait for anything.
"""

import contextlib
import dataclasses
import hashlib
import itertools
import typing
import uuid

import zstandard

from cinder_lite.backup import index, manifest
from cinder_lite.backup.manifest import EMPTY
from cinder_lite.backup.stores import base
from cinder_lite.concurrency import native_threads

GROUP_BYTES = 1024**3
LEVEL = 2  # on the content of file systems as fast as 1 and 4 % smaller; 3 saves 1 % more and takes a fifth longer
WORTH = 16  # a block is kept compressed when that saves at least this part of it


@dataclasses.dataclass(frozen=True)
class Format:
    """How new backups are laid out. Sizes in bytes, each a multiple of the one before."""

    block_size: int = 64 * 1024
    segment_size: int = 32 * 1024**2
    group_size: int = GROUP_BYTES
    compress: bool = True
    threads: int = 3

    @classmethod
    def of(cls, options, largest=None):
        """The format that the options configure, with objects of at most `largest` bytes, the store's limit."""
        block = options.backup_sha_block_size_bytes
        segment = -(-min(options.backup_file_size, largest or options.backup_file_size) // block) * block
        return cls(block, segment, max(segment, GROUP_BYTES // segment * segment),
                   options.backup_compression_algorithm not in ("none", "off", "no"), options.backup_threads)


class Result(typing.NamedTuple):
    """A finished backup, as far as the service keeps it. `stored_bytes` is what it takes in the store."""

    container: str
    service_metadata: str
    object_count: int
    stored_bytes: int


class Segment(typing.NamedTuple):
    """A part of the volume to look at: bytes `start` to `end`, and what the parent's index says of it."""

    group: int
    number: int
    start: int
    end: int
    parent: bytes


class Done(typing.NamedTuple):
    """What became of a segment: its packed records, and how many bytes of it were stored (0: no object)."""

    segment: Segment
    table: bytes
    stored: int


def write(store, place, source, size, layout=Format(), parent=None, origin="",
          progress=lambda done, whole: None, cancelled=lambda: False):
    """Back up `size` bytes of an open source to `place`, and return a Result.

    With `parent` (a Place) only blocks that differ from that backup are stored. A former run of the same backup that
    was cut off is gone on with when it read the same, and removed when it did not: `origin` names the content (a
    snapshot's id, say; it must be another when the content is), and files show by themselves that they were changed.
    A backup that is there already is not made again. `progress(done, whole)` counts bytes of the volume.

    Raises BackupError (NeedsFullBackup, Cancelled, Superseded), StoreError or DeviceError; there is no backup then, and
    what was stored stays for the next run or for `manifest.delete`.
    """
    store.sweep()
    with contextlib.suppress(base.ObjectMissing):
        there, begun = manifest.load(store, place), manifest.load_progress(store, place)
        if begun is None or begun.run == there.run:
            return _result(place, there)
    base_backup = _parent(store, parent, layout, size)
    made = _begin(store, place, size, layout, base_backup, f"{origin} {source.identity()}".strip())
    writer = _Writer(store, source, made, base_backup, layout, cancelled)
    segments = native_threads.map_in_threads(writer.store_segment, writer.segments(), layout.threads)
    with contextlib.closing(segments):
        for group, done in itertools.groupby(segments, key=lambda done: done.segment.group):
            finished = []
            for one in done:
                finished.append(one)
                if cancelled():
                    raise manifest.Cancelled(f"backup {place.backup_id} was cancelled")
                progress(one.segment.end, size)
            if writer.finish_group(group, finished):
                _keep_progress(store, place, made)
    _keep_progress(store, place, made)
    made.object_count += 1
    manifest.save(store, place.manifest, made)
    store.delete(place.progress)
    return _result(place, made)


def _result(place, made):
    return Result(place.container, place.prefix, made.object_count, made.stored_bytes)


def _parent(store, place, layout, size):
    """The parent's manifest, or None for a full backup. Raises NeedsFullBackup."""
    if place is None:
        return None
    try:
        parent = manifest.load(store, place)
    except (base.ObjectMissing, base.Corrupt) as error:
        raise manifest.NeedsFullBackup(f"the parent cannot be used ({error}); make a full backup") from error
    if parent.block_size != layout.block_size:
        raise manifest.NeedsFullBackup(
            f"the parent has blocks of {parent.block_size} bytes and backup_sha_block_size_bytes is "
            f"{layout.block_size}; make a full backup, or set the option back")
    if parent.size > size:
        raise manifest.NeedsFullBackup(
            f"the parent is of a volume of {parent.size} bytes, larger than this one of {size}; make a full backup")
    return parent


def _begin(store, place, size, layout, parent, origin):
    """The manifest to go on with: that of a run that was cut off, as far as it holds, or a new one."""
    own = manifest.Generation(place.backup_id, place.container, uuid.uuid4().hex)
    shape = parent or manifest.Manifest(size, layout.block_size, layout.segment_size,
                                        layout.group_size // layout.segment_size, chain=[])
    new = dataclasses.replace(shape, size=size, chain=[*shape.chain, own], origin=origin,
                              groups=[], object_count=0, stored_bytes=0)
    old = manifest.load_progress(store, place)
    if old is not None and _same(old, new):
        return _validated(store, old)
    store.delete(place.progress)
    store.delete_folder(place.folder)
    manifest.save(store, place.progress, new)
    return new


def _same(old, new):
    """Whether both are runs of one backup: nothing differs but the name of the run and how far they came."""
    chain = [*old.chain[:-1], dataclasses.replace(old.own, run=new.run)]
    return dataclasses.replace(old, chain=chain, groups=[], object_count=0, stored_bytes=0) == new


def _validated(store, made):
    """The manifest cut down to the groups of which everything is in the store, its sums counted anew."""
    groups, made.object_count, made.stored_bytes = made.groups, 0, 0
    made.groups = []
    for group, generation in enumerate(groups):
        made.groups.append(generation)
        if generation != made.generation:
            continue
        try:
            sizes = _sizes(store, made, group)
        except (base.ObjectMissing, base.Corrupt):
            made.groups.pop()
            break
        made.object_count += len(sizes)
        made.stored_bytes += sum(sizes)
    return made


def _sizes(store, made, group):
    """The sizes of the objects of a group. Raises ObjectMissing, or Corrupt where one is shorter than its records."""
    sizes = [store.size(made.own.index(group))]
    for number, table in enumerate(made.tables(store, group)):
        ends = [one.offset + one.length for one in index.unpack(table) if one.generation == made.generation]
        if ends:
            name = made.own.segment(group, number)
            sizes.append(store.size(name))
            if sizes[-1] != max(ends):
                raise base.Corrupt(name, sizes[-1], f"it should have {max(ends)} bytes")
    return sizes


def _keep_progress(store, place, made):
    """Record the groups that are finished, unless the backup is no longer this run's."""
    current = manifest.load_progress(store, place)
    if current is None or current.run != made.run:
        store.delete_folder(made.own.folder)
        raise manifest.Superseded(f"backup {place.backup_id} was deleted or begun anew by another worker")
    manifest.save(store, place.progress, made)


class _Writer:
    """The segments of one backup on their way from the source to the store."""

    def __init__(self, store, source, made, parent, layout, cancelled):
        self.store, self.source, self.made, self.parent = store, source, made, parent
        self.layout, self.cancelled = layout, cancelled
        self.zeros = bytes(made.block_size)

    def segments(self):
        """From where the run stands: each segment with data, and the last of each group, to finish the group."""
        for group in range(len(self.made.groups), self.made.group_count):
            tables = self._parent_tables(group)
            bounds = self.made.segments(group)
            for number, start, end in bounds:
                if number == len(bounds) - 1 or any(self.source.extents(start, end)):
                    yield Segment(group, number, start, end, tables[number])

    def _parent_tables(self, group):
        tables = self.parent.tables(self.store, group) if self.parent else []
        return tables + [b""] * (len(self.made.segments(group)) - len(tables))

    def store_segment(self, segment):
        """Store what of a segment is neither zero nor in the parent; runs in a thread of its own."""
        if self.cancelled():
            raise manifest.Cancelled("the backup was cancelled")
        records = []
        parts = self._parts(segment, records)
        first, stored = next(parts, None), 0
        if first is not None:
            name = self.made.own.segment(segment.group, segment.number)
            stored = self.store.put(name, itertools.chain((first,), parts))
        return Done(segment, index.pack(records), stored)

    def _parts(self, segment, records):
        """Yield the bytes to store of each changed block, and append a record for each block that is not zero."""
        known = {record.block: record for record in index.unpack(segment.parent)}
        packer = zstandard.ZstdCompressor(level=LEVEL)
        offset = 0
        for block, data in self._blocks(segment):
            if data == self.zeros[:len(data)]:
                continue
            digest = hashlib.sha256(data).digest()
            if block in known and known[block].digest == digest:
                records.append(known[block])
                continue
            kept = data
            if self.layout.compress:
                packed = packer.compress(data)
                if len(packed) <= len(data) - len(data) // WORTH - 1:
                    kept = packed
            records.append(index.Record(block, self.made.generation, offset, len(kept), digest))
            offset += len(kept)
            yield kept

    def _blocks(self, segment):
        """Yield (number in the segment, content) of each block that is not wholly in a hole."""
        size, at = self.made.block_size, segment.start
        for begin, stop in self.source.extents(segment.start, segment.end):
            at = max(at, begin - (begin - segment.start) % size)
            while at < stop:
                length = min(size, segment.end - at)
                yield (at - segment.start) // size, self.source.read(at, length)
                at += length

    def finish_group(self, group, done):
        """Write the group's index and enter it in the manifest; whether anything was stored or compared."""
        tables = [b""] * len(self.made.segments(group))
        for one in done:
            tables[one.segment.number] = one.table
            if one.stored:
                self.made.object_count += 1
                self.made.stored_bytes += one.stored
        self.made.groups.append(self._index(group, tables))
        return any(tables)

    def _index(self, group, tables):
        """Whose index describes the group, after writing one where none does yet: EMPTY or a place in the chain."""
        if not any(tables):
            return EMPTY
        if self.parent and group < len(self.parent.groups) and tables == self._parent_tables(group):
            return self.parent.groups[group]
        data = index.encode(self.made.run, group, tables)
        self.made.stored_bytes += self.store.put(self.made.own.index(group), (data,))
        self.made.object_count += 1
        return self.made.generation
