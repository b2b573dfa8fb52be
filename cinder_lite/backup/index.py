"""Encodes and decodes the index of a group of segments: the location and hash of each block.

A volume's content is divided into blocks (hashed individually), segments (the blocks of one object) and groups of
segments of about 1 GiB. A group has one index object, read and written as a whole, so memory does not grow with the
volume: at most 46 bytes per block that is not zero, 0.7 MiB per group with blocks of 64 KiB.

An index object is: header (magic, run of the backup that wrote it, number of the group, segments in it), for each
segment its number of records, the records, and the SHA-256 of all this. Numbers are little-endian.
"""

import hashlib
import struct
import typing
from collections.abc import Iterable, Sequence

from cinder_lite.backup.stores import base

MAGIC = b"CLBIDX01"
HEADER = struct.Struct("<8s16sII")
RECORD = struct.Struct("<IHII32s")
DIGEST_SIZE = 32


class Record(typing.NamedTuple):
    """A block that is not all zeros. Its stored bytes are compressed if they are shorter than the block."""

    block: int  # the number in the segment
    generation: int  # the backup that stored it: an index of Manifest.chain
    offset: int  # bytes in that backup's object of the same segment
    length: int  # stored bytes
    digest: bytes  # SHA-256 of the block


def pack(records: Iterable[Record]) -> bytes:
    """The records of one segment as bytes, in which form they are stored and compared."""
    return b"".join(RECORD.pack(*record) for record in records)


def unpack(table: bytes) -> list[Record]:
    """The records in the result of `pack`, ordered by block."""
    return [Record._make(values) for values in RECORD.iter_unpack(table)]


def encode(run: str, group: int, tables: Sequence[bytes]) -> bytes:
    """The index object of a group; `tables` are the results of `pack` for its segments."""
    counts = [len(table) // RECORD.size for table in tables]
    body = b"".join([HEADER.pack(MAGIC, bytes.fromhex(run), group, len(tables)),
                     struct.pack(f"<{len(counts)}I", *counts), *tables])
    return body + hashlib.sha256(body).digest()


def decode(name: str, data: bytes, run: str, group: int) -> list[bytes]:
    """The tables passed to `encode`. Raises Corrupt for a damaged index or that of another group or run."""
    body, digest = data[:-DIGEST_SIZE], data[-DIGEST_SIZE:]
    if len(body) < HEADER.size or hashlib.sha256(body).digest() != digest:
        raise base.Corrupt(name, 0, "the SHA-256 of the index does not match")
    magic, its_run, its_group, segments = HEADER.unpack_from(body)
    if (magic, its_run.hex(), its_group) != (MAGIC, run, group):
        raise base.Corrupt(name, 0, f"it is not the index of group {group} of run {run}")
    offset = HEADER.size + 4 * segments
    tables = []
    for count in struct.unpack_from(f"<{segments}I", body, HEADER.size):
        tables.append(body[offset:offset + count * RECORD.size])
        offset += count * RECORD.size
    return tables
