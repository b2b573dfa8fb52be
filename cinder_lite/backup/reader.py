"""Restores a backup: reads it from the store, verifies it, and writes it to the target.

As in writer.py, everything here blocks and uses native threads, and `progress` and `cancelled` must not wait.
"""

import contextlib
import hashlib
import itertools
import typing
from collections.abc import Callable, Iterable, Iterator

import zstandard

from cinder_lite.backup import index, manifest
from cinder_lite.backup.stores import base
from cinder_lite.concurrency import native_threads

SPAN = 1024**2  # most bytes read from an object at a time, and most bytes of a write of several blocks
GAP = 64 * 1024  # unneeded bytes between records that are read rather than skipped by a further request


class TargetTooSmall(manifest.BackupError):
    """The volume to restore to is smaller than the backup."""


class Segment(typing.NamedTuple):
    """A part of the volume to restore: bytes `start` to `end`, and its packed records."""

    group: int
    number: int
    start: int
    end: int
    table: bytes


def restore(store: base.Store, place: manifest.Place, target: typing.Any, target_is_zero: bool = False, start: int = 0,
            threads: int = 3, progress: Callable[[int, int], object] = lambda done, whole: None,
            cancelled: Callable[[], bool] = lambda: False) -> int:
    """Write a backup to an open target, and verify the SHA-256 of each block. Returns the backup's size in bytes.

    Only data is written; the rest is zeroed (to the end of the target, if that is larger), unless `target_is_zero`.
    `progress(done, whole)` counts bytes of the volume; a former `done` as `start` resumes there, also after a crash of
    the host, because groups are synced before they are reported. On return the target is synced.

    Raises BackupError (Cancelled, TargetTooSmall), StoreError (Corrupt names object and offset) or DeviceError; the
    target then holds a part of the backup.
    """
    made = manifest.load(store, place)
    if target.size() < made.size:
        raise TargetTooSmall(f"the target has {target.size()} bytes, backup {place.backup_id} needs {made.size}; "
                             "restore to a larger volume")
    reader = _Reader(store, made, target, target_is_zero, cancelled)
    _run(reader, start, threads, progress, cancelled)
    if cancelled():
        raise manifest.Cancelled("the restore was cancelled")
    if not target_is_zero:
        target.zero(made.size, target.size())
    target.sync()
    return made.size


def verify(store: base.Store, place: manifest.Place, threads: int = 3,
           progress: Callable[[int, int], object] = lambda done, whole: None,
           cancelled: Callable[[], bool] = lambda: False) -> int:
    """Read a whole backup and verify each block. Returns its size in bytes. Raises like `restore`."""
    made = manifest.load(store, place)
    _run(_Reader(store, made, None, True, cancelled), 0, threads, progress, cancelled)
    return made.size


def _run(reader, start, threads, progress, cancelled):
    made = reader.made
    first = start // made.group_size if start < made.size else made.group_count
    done = native_threads.map_in_threads(reader.restore_segment, reader.segments(first), threads)
    with contextlib.closing(done):
        for group, segments in itertools.groupby(done, key=lambda segment: segment.group):
            end = min((group + 1) * made.group_size, made.size)
            for segment in segments:
                if cancelled():
                    raise manifest.Cancelled("the restore was cancelled")
                if segment.end < end:
                    progress(segment.end, made.size)
            if reader.target is not None:
                reader.target.sync()
            progress(end, made.size)
    progress(made.size, made.size)


class _Reader:
    """Restores the segments of one backup to a target (None: only verifies them)."""

    def __init__(self, store, made, target, target_is_zero, cancelled):
        self.store, self.made, self.target, self.target_is_zero = store, made, target, target_is_zero
        self._cancelled = cancelled

    def segments(self, first):
        """The segments that need work, from group `first` on."""
        for group in range(first, self.made.group_count):
            if self.made.groups[group] == manifest.EMPTY and self.target_is_zero:
                continue
            tables = self.made.tables(self.store, group)
            for number, start, end in self.made.segments(group):
                if tables[number] or not self.target_is_zero:
                    yield Segment(group, number, start, end, tables[number])

    def restore_segment(self, segment):
        """Read, verify and write one segment; runs in a thread of its own."""
        records = index.unpack(segment.table)
        unpacker = zstandard.ZstdDecompressor()
        joined = _Joined(self._write)
        for span in spans(records):
            for record, stored in self._read(segment, span):
                data = self._checked(segment, record, stored, unpacker)
                if self.target is not None:
                    joined.write(segment.start + record.block * self.made.block_size, data)
        joined.flush()
        if not self.target_is_zero:
            self._zero_between(segment, records)
        return segment

    def _write(self, position, data):
        self._check_cancelled()
        self.target.write(position, data)

    def _check_cancelled(self):
        """Raise Cancelled, so that nothing is written after a cancellation, when the target may be in use already."""
        if self._cancelled():
            raise manifest.Cancelled("the restore was cancelled")

    def _name(self, segment, record):
        return self.made.chain[record.generation].segment(segment.group, segment.number)

    def _length(self, segment, record):
        """The length of the record's block: the block size, or less for the last block of a volume."""
        return min(self.made.block_size, segment.end - segment.start - record.block * self.made.block_size)

    def _read(self, segment, span):
        """Yield (record, its stored bytes) for records that are close together in one object."""
        name, start = self._name(segment, span[0]), span[0].offset
        end = max(record.offset + record.length for record in span)
        try:
            data = memoryview(self.store.get(name, start, end - start))
        except base.ObjectMissing as error:
            raise base.Corrupt(name, start, "it is missing") from error
        for record in span:
            begin = record.offset - start
            if begin + record.length > len(data):
                raise base.Corrupt(name, start + len(data), "it is truncated")
            yield record, data[begin:begin + record.length]

    def _checked(self, segment, record, stored, unpacker):
        """The content of a block. Raises Corrupt if its hash differs."""
        length, data = self._length(segment, record), stored
        try:
            if record.length < length:
                if zstandard.frame_content_size(stored) != length:  # before memory is allocated
                    raise zstandard.ZstdError("wrong size")
                data = unpacker.decompress(stored, max_output_size=length)
        except zstandard.ZstdError as error:
            reason = f"it cannot be decompressed ({error})"
            raise base.Corrupt(self._name(segment, record), record.offset, reason) from error
        if hashlib.sha256(data).digest() != record.digest:
            raise base.Corrupt(self._name(segment, record), record.offset, "the SHA-256 of the block does not match")
        return data

    def _zero_between(self, segment, records):
        """Zero all blocks without a record."""
        at = segment.start
        for record in records:
            begin = segment.start + record.block * self.made.block_size
            self._check_cancelled()
            if at < begin:
                self.target.zero(at, begin)
            at = begin + self._length(segment, record)
        self.target.zero(at, segment.end)


class _Joined:
    """Passes on blocks that follow each other in one write of at most SPAN bytes, or one block, aligned to SPAN."""

    def __init__(self, write):
        self._write, self._start, self._data = write, 0, bytearray()

    def write(self, position, data):
        end = self._start + len(self._data)
        if position != end or (position + len(data) - 1) // SPAN != self._start // SPAN:
            self.flush()
            self._start = position
        self._data += data

    def flush(self):
        if self._data:
            self._write(self._start, self._data)
            self._data = bytearray()


def spans(records: Iterable[index.Record]) -> Iterator[list[index.Record]]:
    """Groups of records to be read together: of the same backup, close to each other, at most SPAN bytes."""
    span: list[index.Record] = []
    start = end = 0
    for record in sorted(records, key=lambda record: (record.generation, record.offset)):
        fits = (span and record.generation == span[0].generation and record.offset - end <= GAP
                and record.offset + record.length - start <= SPAN)
        if not fits:
            if span:
                yield span
            span, start = [], record.offset
        span.append(record)
        end = record.offset + record.length
    if span:
        yield span
