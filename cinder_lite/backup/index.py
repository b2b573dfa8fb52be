"""Where each block of a group of segments lies, and its hash: the part of a backup that grows with the volume.

A volume's content is divided into blocks (hashed one by one), segments (the blocks that one object holds at most) and
groups of segments of about 1 GiB. A group has one index object, read and written whole, so that memory does not grow
with the volume: at most 46 bytes a block that is not zero, 0.7 MiB a group with blocks of 64 KiB.

An index object is: header (magic, run of the backup that wrote it, number of the group, segments in it), for each
segment its number of records, the records, and the SHA-256 of all this. Numbers are little-endian.
"""

import hashlib
import struct
import typing

from cinder_lite.backup.stores import base

MAGIC = b"CLBIDX01"
HEADER = struct.Struct("<8s16sII")
RECORD = struct.Struct("<IHII32s")
DIGEST_SIZE = 32


class Record(typing.NamedTuple):
    """A block that is not all zeros. What is stored at its place is compressed when it is shorter than the block."""

    block: int  # its number in the segment
    generation: int  # which backup of the chain stored it: its place in Manifest.chain
    offset: int  # in the object of the same segment of that backup, bytes
    length: int  # bytes as stored
    digest: bytes  # SHA-256 of the block


def pack(records):
    """The records of one segment as bytes, the form in which they are kept and compared."""
    return b"".join(RECORD.pack(*record) for record in records)


def unpack(table):
    """The records in what `pack` returned, in the order of their blocks."""
    return [Record._make(values) for values in RECORD.iter_unpack(table)]


def encode(run, group, tables):
    """The index object of a group from what `pack` returned for each of its segments."""
    counts = [len(table) // RECORD.size for table in tables]
    body = b"".join([HEADER.pack(MAGIC, bytes.fromhex(run), group, len(tables)),
                     struct.pack(f"<{len(counts)}I", *counts), *tables])
    return body + hashlib.sha256(body).digest()


def decode(name, data, run, group):
    """The tables that `encode` was given, one a segment. Raises Corrupt when it is not whole or another's."""
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
