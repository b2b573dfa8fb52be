"""Damaged or missing objects in a store are detected and reported with their location."""

import re

import pytest

from cinder_lite.backup import manifest, reader
from cinder_lite.backup.stores import base
from tests.unit.backup import stores, volumes
from tests.unit.backup.volumes import BLOCK, pattern

FULL = "abcAde" + "f" * 6 + "gBh...iiC..."  # two groups: random blocks and compressible ones


@pytest.fixture(params=["posix", "memory"])
def store(request, tmp_path):
    """A store with the full backup "one" and "two" on it."""
    store = stores.directory(tmp_path / "store") if request.param == "posix" else stores.MemoryStore()
    for backup_id, letters, parent in (("one", FULL, None), ("two", FULL.replace("b", "x").replace("C", "D"), "one")):
        volumes.write(store, backup_id, volumes.make(tmp_path / "volume", pattern(letters)), len(pattern(FULL)), parent)
    return store


def damage(store, name, how):
    """Change an object; returns the offset from which on it is another."""
    data = store.get(name)
    if how == "removed":
        store.delete(name)
        return 0
    if how == "cut":
        data = data[:-1]
    elif how == "emptied":
        data = b""
    elif how == "longer":
        data += b"x"
    else:
        data = data[:how] + bytes([data[how] ^ 1]) + data[how + 1:]
    store.put(name, (data,))
    return len(data) if how == "cut" else how


def fails(store, backup_id, tmp_path):
    """The Corrupt that both verify and restore raise."""
    found = []
    for act in (lambda: reader.verify(store, volumes.place(store, backup_id)),
                lambda: volumes.bring_back(store, backup_id, tmp_path / "target", len(pattern(FULL)))):
        with pytest.raises(base.Corrupt) as raised:
            act()
        found.append(raised.value)
    assert str(found[0]) == str(found[1])
    return found[0]


def segments(store, backup_id):
    folder = volumes.place(store, backup_id).folder
    return sorted(name for name in store.names(folder) if re.search(r"/\d+/\d+$", name))


def test_each_flipped_byte_of_stored_blocks_is_found(store, tmp_path):
    for backup_id in ("one", "two"):
        for name in segments(store, backup_id):
            whole = store.get(name)
            for offset in [*range(0, len(whole), 97), len(whole) - 1]:
                damage(store, name, offset)
                error = fails(store, "two" if used_by_two(name, offset) else "one", tmp_path)
                assert error.name == name and error.offset <= offset < error.offset + BLOCK
                assert name in str(error)
                store.put(name, (whole,))
    assert reader.verify(store, volumes.place(store, "two"))


def used_by_two(name, offset):
    """Whether "two" refers to that block of "one", or the object belongs to "two" alone."""
    return "backup_two" in name or not (
        (name.endswith("000000/000000") and BLOCK <= offset < 2 * BLOCK)
        or (name.endswith("000001/000002")))


@pytest.mark.parametrize("how", ["removed", "cut", "emptied"])
def test_a_missing_or_truncated_segment_is_found(store, tmp_path, how):
    for name in segments(store, "one"):
        whole = store.get(name)
        damage(store, name, how)
        error = fails(store, "one", tmp_path)
        assert error.name == name
        store.put(name, (whole,))


@pytest.mark.parametrize("how", ["removed", "cut", "emptied", "longer", 0, 20, 40, 60, 150, -1])
def test_a_damaged_index_is_found(store, tmp_path, how):
    name = next(name for name in sorted(store.names(volumes.place(store, "one").folder)) if name.endswith("/index"))
    damage(store, name, how if how != -1 else store.size(name) - 1)
    assert fails(store, "one", tmp_path).name == name


def test_the_index_of_another_group_is_found(store, tmp_path):
    names = sorted(name for name in store.names(volumes.place(store, "one").folder) if name.endswith("/index"))
    store.put(names[0], (store.get(names[1]),))
    assert "group 0" in str(fails(store, "one", tmp_path))


def test_any_damage_to_the_manifest_is_found(store):
    place = volumes.place(store, "one")
    whole = store.get(place.manifest)
    for how in ["cut", "emptied", "longer", *range(0, len(whole), 11)]:
        damage(store, place.manifest, how)
        with pytest.raises((base.Corrupt, manifest.BackupError)):
            reader.verify(store, place)
        store.put(place.manifest, (whole,))
    damage(store, place.manifest, "removed")
    with pytest.raises(base.ObjectMissing):
        reader.verify(store, place)


def test_a_manifest_of_a_later_release_is_reported(store):
    place = volumes.place(store, "one")
    store.put(place.manifest, (store.get(place.manifest).replace(b"backup 1 ", b"backup 2 ", 1),))
    with pytest.raises(manifest.BackupError, match="format 2, this release supports 1"):
        reader.verify(store, place)


def test_a_damaged_parent_requires_a_full_backup(store, tmp_path):
    damage(store, volumes.place(store, "two").manifest, 100)
    with pytest.raises(manifest.NeedsFullBackup, match="make a full backup"):
        volumes.write(store, "three", tmp_path / "volume", len(pattern(FULL)), parent="two")


def test_a_chain_whose_first_link_was_removed_is_found(store, tmp_path):
    manifest.delete(store, volumes.place(store, "one"))
    assert "backup_one" in fails(store, "two", tmp_path).name


def test_a_target_that_is_too_small_is_refused_untouched(store, tmp_path):
    with pytest.raises(reader.TargetTooSmall, match="restore to a larger volume"):
        volumes.bring_back(store, "one", tmp_path / "target", len(pattern(FULL)) - 1)
    assert not (tmp_path / "target").read_bytes().strip(b"\0")


def test_a_larger_target_reads_as_zeros_at_its_end(store, tmp_path):
    size = len(pattern(FULL))
    back = volumes.bring_back(store, "one", tmp_path / "target", 2 * size, old=b"\xff" * 2 * size)
    assert back == pattern(FULL) + bytes(size)
