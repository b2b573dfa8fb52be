"""Reverting to a copy-on-write snapshot writes only the differing blocks."""

import random

from cinder_lite.volume.drivers.lvm import cow_revert

RANDOM = random.Random(5)
KEPT = RANDOM.randbytes(3 * cow_revert.PIECE + 2 * cow_revert.BLOCK)


def test_only_differing_blocks_are_found():
    changed = bytearray(KEPT[:cow_revert.PIECE])
    changed[cow_revert.BLOCK] ^= 1
    changed[-1] ^= 1
    assert list(cow_revert.differing(KEPT[:cow_revert.PIECE], bytes(changed))) == [
        cow_revert.BLOCK, cow_revert.PIECE - cow_revert.BLOCK]
    assert list(cow_revert.differing(KEPT, KEPT)) == []


def test_changed_blocks_are_written_back_and_added_ones_are_zeroed(tmp_path):
    snapshot, volume = tmp_path / "snapshot", tmp_path / "volume"
    snapshot.write_bytes(KEPT + b"not the snapshot's any more" * 1000)
    changed = bytearray(KEPT)
    for position in (0, cow_revert.PIECE - 1, 2 * cow_revert.PIECE + 5, len(KEPT) - 1):
        changed[position] ^= 255
    volume.write_bytes(bytes(changed) + RANDOM.randbytes(cow_revert.PIECE) + bytes(cow_revert.BLOCK))
    cow_revert.restore(str(snapshot), str(volume), len(KEPT))
    assert volume.read_bytes() == KEPT + bytes(cow_revert.PIECE + cow_revert.BLOCK)
