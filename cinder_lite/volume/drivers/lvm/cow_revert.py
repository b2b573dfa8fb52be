"""How a volume gets back what its copy-on-write snapshot has kept, in place and without taking more of its room.

Where volume and snapshot differ, the snapshot has kept a copy already. So only blocks that differ are written: they
take no further room in the snapshot.
"""


from cinder_lite.blockio import device

#: Bytes that are compared at once, and the smallest room that a snapshot keeps of what changes.
PIECE, BLOCK = 1024**2, 4096


def restore(source_path, target_path, length):
    """Give a device the first `length` bytes of another, and zeros from there on."""
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


def differing(one, other):
    """The beginnings of the blocks in which two pieces differ."""
    if one != other:
        for begin in range(0, len(one), BLOCK):
            if one[begin:begin + BLOCK] != other[begin:begin + BLOCK]:
                yield begin
