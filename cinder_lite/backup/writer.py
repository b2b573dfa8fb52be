"""Makes backups: stores the changed blocks of a volume, and resumes interrupted runs.

Everything here blocks and uses native threads: call it in a native thread. `progress` and `cancelled` are called in
that thread, between segments, and must not wait for anything.
"""

import contextlib
import dataclasses
import hashlib
import itertools
import typing
from collections.abc import Callable

import zstandard
from oslo_config import cfg

from cinder_lite.backup import index, manifest
from cinder_lite.backup.manifest import EMPTY
from cinder_lite.backup.stores import base
from cinder_lite.concurrency import native_threads, randomness

GROUP_BYTES = 1024**3
SPAN = 1024**2  # most bytes read of the volume at a time, unless a block is larger
LEVEL = 2  # on file systems' content as fast as 1 and 4 % smaller; 3 saves 1 % more and takes a fifth longer
WORTH = 16  # a block is stored compressed if that saves at least one WORTH-th of it


@dataclasses.dataclass(frozen=True)
class Format:
    """The layout of new backups. Sizes are in bytes, each a multiple of the previous one."""

    block_size: int = 64 * 1024
    segment_size: int = 32 * 1024**2
    group_size: int = GROUP_BYTES
    compress: bool = True
    threads: int = 3

    @classmethod
    def of(cls, options: cfg.ConfigOpts, largest: int | None = None) -> typing.Self:
        """The configured format, with objects of at most `largest` bytes."""
        block = options.backup_sha_block_size_bytes
        segment = -(-min(options.backup_file_size, largest or options.backup_file_size) // block) * block
        return cls(block, segment, max(segment, GROUP_BYTES // segment * segment),
                   options.backup_compression_algorithm not in ("none", "off", "no"), options.backup_threads)


class Result(typing.NamedTuple):
    """The recorded facts of a complete backup. `stored_bytes` is its size in the store."""

    container: str
    service_metadata: str
    object_count: int
    stored_bytes: int


class Segment(typing.NamedTuple):
    """A part of the volume to back up: bytes `start` to `end`, and its table in the parent's index."""

    group: int
    number: int
    start: int
    end: int
    parent: bytes


class Done(typing.NamedTuple):
    """A processed segment: its packed records, and the number of stored bytes (0: no object)."""

    segment: Segment
    table: bytes
    stored: int


def write(store: base.Store, place: manifest.Place, source: typing.Any, size: int, layout: Format = Format(),
          parent: manifest.Place | None = None, origin: str = "",
          progress: Callable[[int, int], object] = lambda done, whole: None,
          cancelled: Callable[[], bool] = lambda: False) -> Result:
    """Back up `size` bytes of an open source to `place`.

    With `parent` only blocks that differ from that backup are stored. An interrupted run of the same backup is resumed
    if it read the same content, and removed otherwise: `origin` identifies the content (for example a snapshot's id),
    and changes of files are detected. An existing backup is not made again. `progress(done, whole)` counts bytes of the
    volume.

    Raises BackupError (NeedsFullBackup, Cancelled, Superseded), StoreError or ContentError; then there is no backup,
    and its objects stay for the next run or for `manifest.delete`.
    """
    store.sweep()
    with contextlib.suppress(base.ObjectMissing):
        there, begun = manifest.load(store, place), manifest.load_progress(store, place)
        if begun is None or there.own in begun.chain:
            return _result(place, there)
        store.delete(place.manifest)  # of a worker that had lost the backup by then
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
    made.object_count += 1
    _keep_progress(store, place, made)
    if not manifest.add(store, place, made):
        raise _superseded(store, place, made)
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
    """The manifest to continue with: that of an interrupted run, as far as it is valid, or a new one."""
    own = manifest.Generation(place.backup_id, place.container, randomness.token_hex(16))
    shape = parent or manifest.Manifest(size, layout.block_size, layout.segment_size,
                                        layout.group_size // layout.segment_size, chain=[])
    new = dataclasses.replace(shape, size=size, chain=[*shape.chain, own], origin=origin,
                              groups=[], object_count=0, stored_bytes=0)
    old = manifest.load_progress(store, place)
    if old is not None and _same(old, new):
        # The run resumed may still be under way, by a worker that has lost the job: it gets no further objects.
        resumed = dataclasses.replace(old, chain=[*old.chain, own])
        manifest.save(store, place.progress, resumed)
        return _validated(store, resumed, len(shape.chain))
    store.delete(place.progress)
    store.delete_folder(place.folder)
    manifest.save(store, place.progress, new)
    return new


def _same(old, new):
    """Whether both are runs of the same backup, which differ only in the runs' names and progress."""
    chain = [*old.chain[:new.generation], new.own]
    return dataclasses.replace(old, chain=chain, groups=[], object_count=0, stored_bytes=0) == new


def _validated(store, made, first):
    """The manifest reduced to the groups that are complete in the store, with recomputed sums.

    Generations from `first` on are runs of this backup; what else they have stored is removed.
    """
    groups, made.object_count, made.stored_bytes = made.groups, 0, 0
    made.groups = []
    for group, generation in enumerate(groups):
        made.groups.append(generation)
        if generation < first:
            continue
        try:
            sizes = _sizes(store, made, group, generation)
        except (base.ObjectMissing, base.Corrupt):
            made.groups.pop()
            break
        made.object_count += len(sizes)
        made.stored_bytes += sum(sizes)
    for generation, run in enumerate(made.chain[first:], first):
        for name in list(store.names(run.folder)):
            group = int(name.removeprefix(f"{run.folder}/").partition("/")[0])
            if made.groups[group:group + 1] != [generation]:
                store.delete(name)
    return made


def _sizes(store, made, group, generation):
    """The sizes of the objects of a group. Raises ObjectMissing, or Corrupt for an object of another size."""
    run = made.chain[generation]
    sizes = [store.size(run.index(group))]
    for number, table in enumerate(made.tables(store, group)):
        ends = [one.offset + one.length for one in index.unpack(table) if one.generation == generation]
        if ends:
            name = run.segment(group, number)
            sizes.append(store.size(name))
            if sizes[-1] != max(ends):
                raise base.Corrupt(name, sizes[-1], f"it should have {max(ends)} bytes")
    return sizes


def _keep_progress(store, place, made):
    """Record the completed groups. Raises Superseded if the backup belongs to another run."""
    current = manifest.load_progress(store, place)
    if current is None or current.run != made.run:
        raise _superseded(store, place, made, current)
    manifest.save(store, place.progress, made)


def _superseded(store, place, made, current=None):
    """The error, after removing the run's objects unless the run `current`, or the complete backup, refers to them."""
    with contextlib.suppress(base.ObjectMissing):
        current = current or manifest.load(store, place)
    if current is None or made.own not in current.chain:
        store.delete_folder(made.own.folder)
    return manifest.Superseded(f"backup {place.backup_id} was deleted, or started again by another worker")


class _Writer:
    """Stores the segments of one backup."""

    def __init__(self, store, source, made, parent, layout, cancelled):
        self.store, self.source, self.made, self.parent = store, source, made, parent
        self.layout, self.cancelled = layout, cancelled
        self.zeros = bytes(made.block_size)

    def segments(self):
        """The remaining segments with data, and the last one of each group, which finishes the group."""
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
        """Store the blocks of a segment that are neither zero nor in the parent; runs in a thread of its own."""
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
        """Yield the bytes of each changed block, and append a record for each block that is not zero."""
        known = {record.block: record for record in index.unpack(segment.parent)}
        packer = zstandard.ZstdCompressor(level=LEVEL)
        offset = 0
        for block, data in self._blocks(segment):
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
        """Yield (number in the segment, content) of each block that is not all zeros, without reading holes."""
        size, at = self.made.block_size, segment.start
        span = max(SPAN // size, 1) * size
        for begin, stop in self.source.extents(segment.start, segment.end):
            at = max(at, begin - (begin - segment.start) % size)
            stop = min(stop + (segment.start - stop) % size, segment.end)
            while at < stop:
                data = self.source.read(at, min(span, stop - at))
                for offset in range(0, len(data), size):
                    block = memoryview(data)[offset:offset + size]
                    if not data.startswith(self.zeros[:len(block)], offset):
                        yield (at + offset - segment.start) // size, block
                at += len(data)

    def finish_group(self, group, done):
        """Write the group's index and add it to the manifest. Returns whether the group has data."""
        tables = [b""] * len(self.made.segments(group))
        for one in done:
            tables[one.segment.number] = one.table
            if one.stored:
                self.made.object_count += 1
                self.made.stored_bytes += one.stored
        self.made.groups.append(self._index(group, tables))
        return any(tables)

    def _index(self, group, tables):
        """The group's entry in Manifest.groups: EMPTY or an index of the chain; writes a new index if needed."""
        if not any(tables):
            return EMPTY
        if self.parent and group < len(self.parent.groups) and tables == self._parent_tables(group):
            return self.parent.groups[group]
        data = index.encode(self.made.run, group, tables)
        self.made.stored_bytes += self.store.put(self.made.own.index(group), (data,))
        self.made.object_count += 1
        return self.made.generation
