"""Volumes for backup tests: small sparse files, described by one letter for each block."""

import random

from cinder_lite.backup import manifest, reader, writer
from cinder_lite.blockio import device

BLOCK = 512
#: Four blocks a segment, three segments a group: few bytes show what a large volume does.
SMALL = writer.Format(block_size=BLOCK, segment_size=4 * BLOCK, group_size=12 * BLOCK, threads=2)


def pattern(letters, tail=0):
    """Bytes for a string of letters: `.` zeros, `a`-`z` random bytes (different by letter), `A`-`Z` compressible ones.

    `tail` bytes are cut off the last block.
    """
    blocks = []
    for letter in letters:
        if letter == ".":
            blocks.append(bytes(BLOCK))
        elif letter.islower():
            blocks.append(random.Random(letter).randbytes(BLOCK))
        else:
            blocks.append((letter * 16).encode() * (BLOCK // 16))
    data = b"".join(blocks)
    return data[:len(data) - tail]


def make(path, data, piece=4096):
    """A file with the data, where pieces that are all zeros are holes."""
    with open(path, "wb") as file:
        for offset in range(0, len(data), piece):
            if data[offset:offset + piece].strip(b"\0"):
                file.seek(offset)
                file.write(data[offset:offset + piece])
        file.truncate(len(data))
    return path


def place(store, backup_id):
    return manifest.Place(backup_id, store.container(backup_id))


def write(store, backup_id, path, size, parent=None, layout=SMALL, **more):
    """Back up a file."""
    with device.Source(path) as source:
        return writer.write(store, place(store, backup_id), source, size, layout,
                            parent and place(store, parent), **more)


def bring_back(store, backup_id, path, size, old=None, **more):
    """Restore to a file of that size, empty or with old content, and return its bytes."""
    if old is None:
        with open(path, "wb") as file:
            file.truncate(size)
    else:
        make(path, old.ljust(size, b"\0"))
    with device.Target(path) as target:
        reader.restore(store, place(store, backup_id), target, target_is_zero=old is None, **more)
    return path.read_bytes()
