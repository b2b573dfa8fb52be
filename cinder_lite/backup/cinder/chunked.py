"""Backups that Cinder made, in its chunked format: how they are recognised, read and removed. New ones are never written.

The objects of a backup, in its container, all begin with its prefix:

    <prefix>_metadata      JSON: the objects in order, with their place in the volume and how they are compressed
    <prefix>_sha256file    JSON: hashes of blocks, by which Cinder finds what has changed
    <prefix>-00001 ...     the data

An incremental backup has the blocks that differ from its parent's. Objects may have gigabytes: they are read piece by
piece, and checked against their MD5 at the end, so that what is damaged is written before it is found out.
"""

import bz2
import dataclasses
import hashlib
import json
import zlib

import zstandard

from cinder_lite.backup import manifest
from cinder_lite.backup.stores import base
from cinder_lite.blockio import device
from cinder_lite.volume.drivers.base import GIB

#: Read, and decompress, at most so much at a time.
SPAN = 1024**2
#: The documents of volume_meta that a restored volume gets.
METADATA, IMAGE_METADATA, BASE = "volume-metadata", "volume-glance-metadata", "volume-base-metadata"


@dataclasses.dataclass(frozen=True)
class Place:
    """Where one of Cinder's backups lies."""

    container: str
    prefix: str

    @classmethod
    def of(cls, row):
        return cls(row.container or "", row.facts.get("service_metadata") or "")

    @property
    def metadata(self):
        return f"{self.container}/{self.prefix}_metadata"


@dataclasses.dataclass(frozen=True)
class Piece:
    """An object: which bytes of the volume it holds, and how."""

    name: str
    offset: int
    length: int
    compression: str
    md5: str


def _document(store, place):
    try:
        found = json.loads(store.get(place.metadata))
        if not isinstance(found["objects"], list):
            raise TypeError
    except (ValueError, KeyError, TypeError) as error:
        raise base.Corrupt(place.metadata, 0, "it is not the metadata of a backup") from error
    return found


def pieces(store, place):
    """The objects of a backup, in order."""
    return [Piece(f"{place.container}/{name}", one["offset"], one["length"], one["compression"], one["md5"])
            for entry in _document(store, place)["objects"] for name, one in entry.items()]


def record(store, place):
    """What a restore gives a volume besides its data, like the volume_record of our own backups."""
    return described(_document(store, place).get("volume_meta"))


def described(kept):
    """The same from what Cinder wrote of the volume, JSON or what was read of it."""
    kept = json.loads(kept) if isinstance(kept, str) else kept or {}
    of = kept.get(BASE) or {}
    return {"name": of.get("display_name"), "description": of.get("display_description"), "bootable": bool(of.get("bootable")),
            "metadata": kept.get(METADATA) or {}, "image_metadata": kept.get(IMAGE_METADATA) or {}}


def exists(store, place):
    """Whether the backup is there."""
    try:
        store.size(place.metadata)
    except base.ObjectMissing:
        return False
    return True


def delete(store, place):
    """Remove a backup; none there is success."""
    if not place.container or not place.prefix:
        return
    store.delete(place.metadata)  # first: from here on there is no backup
    for name in list(store.names(place.container)):
        if name.startswith(f"{place.container}/{place.prefix}"):
            store.delete(name)


class Chunks:
    """Backups of rows, in a store of ours that finds Cinder's objects as they lie there."""

    def __init__(self, store):
        self.store = store

    def record(self, row):
        return record(self.store, Place.of(row))

    def exists(self, row):
        return exists(self.store, Place.of(row))

    def delete(self, row):
        delete(self.store, Place.of(row))

    def restore(self, chain, where, **how):
        """Write the newest of the chain to where a volume is."""
        with device.target(where) as target:
            restore(self.store, [Place.of(row) for row in reversed(chain)], chain[0].size, target, **how)


def restore(store, chain, size, target, target_is_zero=False, start=0, progress=lambda done, whole: None,
            cancelled=lambda: False):
    """Write a backup to an open target: `chain` has the places of the full backup first and of the wanted one last.

    `size` is the volume's in GiB. `progress(done, whole)` counts the bytes of all objects; a former `done` given as
    `start` goes on behind the last object that was synced before. Raises as restore.restore does.
    """
    found = [(number, piece) for number, place in enumerate(chain) for piece in pieces(store, place)]
    if target.size() < size * GIB:
        raise manifest.BackupError(f"the target has {target.size()} bytes, the backup needs {size * GIB}; restore to a "
                                   "larger volume")
    whole, done = sum(piece.length for _, piece in found), 0
    for number, piece in found:
        if done + piece.length > start:
            # Over what a former backup of the chain has written zeros are not left out.
            _bring_back(store, piece, target, target_is_zero and number == 0, cancelled)
            target.sync()
            progress(done + piece.length, whole)
        done += piece.length
    if not target_is_zero:
        target.zero(size * GIB, target.size())
    target.sync()
    progress(whole, whole)


def _bring_back(store, piece, target, skip_zeros, cancelled):
    at, digest = piece.offset, hashlib.md5(usedforsecurity=False)
    try:
        for data in _UNPACKED[piece.compression](_parts(store, piece.name)):
            if cancelled():
                raise manifest.Cancelled("the restore was cancelled")
            if at + len(data) > piece.offset + piece.length:
                raise base.Corrupt(piece.name, 0, f"it holds more than {piece.length} bytes")
            digest.update(data)
            if data.strip(b"\0"):
                target.write(at, data)
            elif data and not skip_zeros:
                target.zero(at, at + len(data))
            at += len(data)
    except KeyError as error:
        raise manifest.BackupError(f"{piece.name} is compressed by '{piece.compression}', which is not known") from error
    except (zlib.error, zstandard.ZstdError, OSError, EOFError) as error:
        raise base.Corrupt(piece.name, 0, f"it cannot be decompressed ({error})") from error
    if at != piece.offset + piece.length or digest.hexdigest() != piece.md5:
        raise base.Corrupt(piece.name, 0, "its MD5 does not match")


def _parts(store, name):
    """The bytes of an object, piece by piece."""
    at, size = 0, store.size(name)
    while at < size:
        part = store.get(name, at, SPAN)
        if not part:
            return
        at += len(part)
        yield bytes(part)


def _zlib(parts):
    unpacker = zlib.decompressobj()
    for part in parts:
        while part and not unpacker.eof:
            yield unpacker.decompress(part, SPAN)
            part = unpacker.unconsumed_tail
    yield unpacker.flush()


def _bz2(parts):
    unpacker = bz2.BZ2Decompressor()
    for part in parts:
        yield unpacker.decompress(part, SPAN)
        while not unpacker.needs_input and not unpacker.eof:
            yield unpacker.decompress(b"", SPAN)


def _zstd(parts):
    class Stored:
        """What zstandard reads from: as many bytes as it asks for, which it relies on."""

        kept = b""

        def read(self, size):
            self.kept = self.kept or next(parts, b"")
            given, self.kept = self.kept[:size], self.kept[size:]
            return given

    with zstandard.ZstdDecompressor().stream_reader(Stored(), read_size=SPAN) as unpacked:
        while data := unpacked.read(SPAN):
            yield data


#: How Cinder calls a compression -> what undoes it, piece by piece.
_UNPACKED = {**dict.fromkeys(("none", "off", "no"), iter), **dict.fromkeys(("zlib", "gzip"), _zlib),
             **dict.fromkeys(("bz2", "bzip2"), _bz2), "zstd": _zstd}
