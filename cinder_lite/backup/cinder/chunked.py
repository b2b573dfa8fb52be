"""Reads and removes backups in Cinder's chunked format. New ones are never written.

The objects of a backup, in its container, all begin with its prefix:

    <prefix>_metadata      JSON: the objects in order, with their offset in the volume and their compression
    <prefix>_sha256file    JSON: hashes of blocks, by which Cinder finds changes
    <prefix>-00001 ...     the data

An incremental backup has the blocks that differ from its parent's. Objects can have gigabytes: they are read in chunks,
and verified by their MD5 at the end, so damaged data is written before the damage is detected.
"""

import bz2
import dataclasses
import hashlib
import json
import typing
import zlib
from collections.abc import Callable, Mapping, Sequence

import zstandard

from cinder_lite import db
from cinder_lite.backup import manifest
from cinder_lite.backup.stores import base
from cinder_lite.blockio import device
from cinder_lite.volume.drivers.base import GIB

#: Most bytes read, and decompressed, at a time.
SPAN = 1024**2
#: The documents in volume_meta that are restored.
METADATA, IMAGE_METADATA, BASE = "volume-metadata", "volume-glance-metadata", "volume-base-metadata"


@dataclasses.dataclass(frozen=True)
class Place:
    """The location of a backup made by Cinder."""

    container: str
    prefix: str

    @classmethod
    def of(cls, row: db.Row) -> typing.Self:
        return cls(row.container or "", row.facts.get("service_metadata") or "")

    @property
    def metadata(self) -> str:
        return f"{self.container}/{self.prefix}_metadata"


@dataclasses.dataclass(frozen=True)
class Piece:
    """An object: its offset and length in the volume, and its compression."""

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


def pieces(store: base.Store, place: Place) -> list[Piece]:
    """The objects of a backup, in order."""
    return [Piece(f"{place.container}/{name}", one["offset"], one["length"], one["compression"], one["md5"])
            for entry in _document(store, place)["objects"] for name, one in entry.items()]


def described(kept: str | Mapping | None) -> dict:
    """The recorded columns in Cinder's JSON about the volume, parsed or not."""
    kept = json.loads(kept) if isinstance(kept, str) else kept or {}
    of = kept.get(BASE) or {}
    return {"name": of.get("display_name"), "description": of.get("display_description"),
            "bootable": bool(of.get("bootable")), "metadata": kept.get(METADATA) or {},
            "image_metadata": kept.get(IMAGE_METADATA) or {}}


class Chunks:
    """Reads backups by their rows, in a store that contains Cinder's objects."""

    def __init__(self, store: base.Store) -> None:
        self.store = store

    def record(self, row: db.Row) -> dict:
        """The recorded columns of the volume, like the volume_record of this service's backups."""
        return described(_document(self.store, Place.of(row)).get("volume_meta"))

    def exists(self, row: db.Row) -> bool:
        """Whether the backup exists."""
        return self.store.has(Place.of(row).metadata)

    def delete(self, row: db.Row) -> None:
        """Remove a backup; a missing one is not an error."""
        place = Place.of(row)
        if not place.container or not place.prefix:
            return
        self.store.delete(place.metadata)  # first, after which the backup does not exist
        for name in list(self.store.names(place.container)):
            if name.startswith(f"{place.container}/{place.prefix}"):
                self.store.delete(name)

    def restore(self, chain: Sequence[db.Row], where: Mapping, fence: device.Fence,
                **how: typing.Any) -> None:
        """Write the newest backup of the chain to a volume's location."""
        with device.target(where, fence) as target:
            restore(self.store, [Place.of(row) for row in reversed(chain)], chain[0].size, target, **how)


def restore(store: base.Store, chain: Sequence[Place], size: int, target: typing.Any, target_is_zero: bool = False,
            start: int = 0, progress: Callable[[int, int], object] = lambda done, whole: None,
            cancelled: Callable[[], bool] = lambda: False) -> None:
    """Write a backup to an open target; `chain` has the location of the full backup first and this one's last.

    `size` is the volume's in GiB. `progress(done, whole)` counts the bytes of all objects; a former `done` as `start`
    resumes after the last synced object. Raises like reader.restore.
    """
    found = [(number, piece) for number, place in enumerate(chain) for piece in pieces(store, place)]
    if target.size() < size * GIB:
        raise manifest.BackupError(f"the target has {target.size()} bytes, the backup needs {size * GIB}; restore to a "
                                   "larger volume")
    whole, done = sum(piece.length for _, piece in found), 0
    for number, piece in found:
        if done + piece.length > start:
            # Zeros overwrite data of earlier backups of the chain.
            _restore_piece(store, piece, target, target_is_zero and number == 0, cancelled)
            target.sync()
            progress(done + piece.length, whole)
        done += piece.length
    if not target_is_zero:
        target.zero(size * GIB, target.size())
    target.sync()
    progress(whole, whole)


def _restore_piece(store, piece, target, skip_zeros, cancelled):
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
        raise manifest.BackupError(
            f"{piece.name} is compressed by '{piece.compression}', which is not supported") from error
    except (zlib.error, zstandard.ZstdError, OSError, EOFError) as error:
        raise base.Corrupt(piece.name, 0, f"it cannot be decompressed ({error})") from error
    if at != piece.offset + piece.length or digest.hexdigest() != piece.md5:
        raise base.Corrupt(piece.name, 0, "its MD5 does not match")


def _parts(store, name):
    """The bytes of an object in chunks."""
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
        """A file-like source for zstandard, which never returns more bytes than requested."""

        kept = b""

        def read(self, size):
            self.kept = self.kept or next(parts, b"")
            given, self.kept = self.kept[:size], self.kept[size:]
            return given

    with zstandard.ZstdDecompressor().stream_reader(Stored(), read_size=SPAN) as unpacked:
        while data := unpacked.read(SPAN):
            yield data


#: Cinder's name of a compression -> the streaming decompressor.
_UNPACKED = {**dict.fromkeys(("none", "off", "no"), iter), **dict.fromkeys(("zlib", "gzip"), _zlib),
             **dict.fromkeys(("bz2", "bzip2"), _bz2), "zstd": _zstd}
