"""Reverts a volume to its copy-on-write snapshot in place, without using more of the snapshot's space.

The snapshot has a copy of the blocks in which volume and snapshot differ. Only these blocks are written, so the
snapshot needs no further space.
"""

from collections.abc import Iterator

from cinder_lite.blockio import device

#: Bytes compared at a time, and the smallest chunk size of a snapshot.
PIECE, BLOCK = 1024**2, 4096


def restore(source_path: str, target_path: str, length: int) -> None:
    """Give a device the first `length` bytes of another, followed by zeros."""
    with device.Source(source_path) as source, device.Source(target_path) as present, \
            device.Target(target_path) as target:
        size = target.size()
        for position in range(0, size, PIECE):
            piece = min(PIECE, size - position)
            kept = max(0, min(length - position, piece))
            wanted = source.read(position, kept) + bytes(piece - kept)
            for begin in differing(wanted, present.read(position, piece)):
                target.write(position + begin, wanted[begin:begin + BLOCK])
        target.sync()


def differing(one: bytes, other: bytes) -> Iterator[int]:
    """The offsets of the blocks in which two byte strings differ."""
    if one != other:
        for begin in range(0, len(one), BLOCK):
            if one[begin:begin + BLOCK] != other[begin:begin + BLOCK]:
                yield begin
