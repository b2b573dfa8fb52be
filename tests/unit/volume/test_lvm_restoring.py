"""A volume gets its snapshot's bytes back by the blocks that differ alone."""

import random

from cinder_lite.volume.drivers.lvm import restoring

RANDOM = random.Random(5)
KEPT = RANDOM.randbytes(3 * restoring.PIECE + 2 * restoring.BLOCK)


def test_only_differing_blocks_are_found():
    changed = bytearray(KEPT[:restoring.PIECE])
    changed[restoring.BLOCK] ^= 1
    changed[-1] ^= 1
    assert list(restoring.differing(KEPT[:restoring.PIECE], bytes(changed))) == [
        restoring.BLOCK, restoring.PIECE - restoring.BLOCK]
    assert list(restoring.differing(KEPT, KEPT)) == []


def test_what_has_changed_is_written_back_and_what_was_added_becomes_zeros(tmp_path):
    snapshot, volume = tmp_path / "snapshot", tmp_path / "volume"
    snapshot.write_bytes(KEPT + b"not the snapshot's any more" * 1000)
    changed = bytearray(KEPT)
    for position in (0, restoring.PIECE - 1, 2 * restoring.PIECE + 5, len(KEPT) - 1):
        changed[position] ^= 255
    volume.write_bytes(bytes(changed) + RANDOM.randbytes(restoring.PIECE) + bytes(restoring.BLOCK))
    restoring.restore(str(snapshot), str(volume), len(KEPT))
    assert volume.read_bytes() == KEPT + bytes(restoring.PIECE + restoring.BLOCK)
