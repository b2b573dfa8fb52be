"""Backups in the chunked format of Cinder: compression formats, incremental chains, detection of damage."""

import bz2
import hashlib
import json
import random
import types
import zlib

import pytest
import zstandard

from cinder_lite.backup import manifest
from cinder_lite.backup.cinder import chunked
from cinder_lite.backup.stores import base
from cinder_lite.blockio import device
from cinder_lite.volume.drivers.base import GIB
from tests.unit.backup.stores import MemoryStore

MIB = 1024**2
PACK = {"none": bytes, "zlib": zlib.compress, "bz2": bz2.compress, "zstd": zstandard.ZstdCompressor().compress}
#: Random bytes, zeros within, and text that becomes much smaller than it was.
FIRST = random.Random(1).randbytes(MIB + 777) + bytes(MIB) + b"".join(b"line %d of it\n" % n for n in range(60_000))
SECOND = random.Random(2).randbytes(4096)


@pytest.fixture
def store():
    return MemoryStore()


def put(store, id, pieces):
    """A backup of [(offset, data, compression)], as Cinder stores it. Returns its place."""
    place, objects = chunked.Place("volumebackups", f"volume_v/backup_{id}"), []
    for number, (offset, data, compression) in enumerate(pieces, 1):
        name = f"{place.prefix}-{number:05}"
        store.put(f"{place.container}/{name}", (PACK[compression](data),))
        objects.append({name: {"offset": offset, "length": len(data), "compression": compression,
                               "md5": hashlib.md5(data).hexdigest()}})
    store.put(place.metadata, (json.dumps({"version": "1.0.0", "objects": objects, "volume_meta": {}}).encode(),))
    return place


def restored(store, chain, path, before=b"", **how):
    """Restore to a file that holds `before`; returns it."""
    with open(path, "wb") as file:
        file.write(before)
        file.truncate(GIB)
    with device.target({"path": str(path)}) as target:
        chunked.restore(store, chain, 1, target, target_is_zero=not before, **how)
    return path


def holds(path, parts):
    """Whether the file has each (offset, data), and zeros up to 8 MiB elsewhere."""
    wanted = bytearray(8 * MIB)
    for offset, data in parts:
        wanted[offset:offset + len(data)] = data
    with open(path, "rb") as file:
        return file.read(8 * MIB) == wanted


@pytest.mark.parametrize("compression", PACK)
def test_each_compression_is_undone(store, tmp_path, compression):
    rest = 8 * MIB - len(FIRST)
    place = put(store, "a", [(0, FIRST, compression), (len(FIRST), bytes(rest), compression)])
    assert holds(restored(store, [place], tmp_path / "v", before=b"old" * 2 * MIB), [(0, FIRST)])


@pytest.mark.parametrize("compression", PACK)
def test_an_incremental_backup_overlays_its_parents(store, tmp_path, compression):
    full = put(store, "a", [(0, FIRST, "zlib")])
    second = put(store, "b", [(MIB, SECOND, compression), (2 * MIB, bytes(8192), compression)])
    third = put(store, "c", [(MIB + 1024, SECOND[::-1], compression)])
    assert holds(restored(store, [full, second, third], tmp_path / "v"), [
        (0, FIRST), (MIB, SECOND), (2 * MIB, bytes(8192)), (MIB + 1024, SECOND[::-1])])


@pytest.mark.parametrize("compression", PACK)
@pytest.mark.parametrize("at", [0, 0.5])
def test_damage_is_found(store, tmp_path, compression, at):
    place = put(store, "a", [(0, FIRST, compression)])
    name = f"{place.container}/{place.prefix}-00001"
    data = bytearray(store.get(name))
    data[int(at * (len(data) - 1))] ^= 0x40
    store.put(name, (bytes(data),))
    with pytest.raises(base.Corrupt, match="00001 is damaged"):
        restored(store, [place], tmp_path / "v")


@pytest.mark.parametrize("compression", PACK)
@pytest.mark.parametrize("change", [lambda data: data[:-100], lambda data: data + data])
def test_truncated_and_oversized_objects_are_found(store, tmp_path, compression, change):
    place = put(store, "a", [(0, FIRST, compression)])
    name = f"{place.container}/{place.prefix}-00001"
    store.put(name, (change(store.get(name)),))
    try:
        restored(store, [place], tmp_path / "v")
    except base.Corrupt:
        return
    # Behind the end of what is compressed there may be anything, which is not read.
    assert compression != "none" and holds(tmp_path / "v", [(0, FIRST)])


def test_an_unknown_compression_is_reported(store, tmp_path):
    place = put(store, "a", [(0, FIRST, "none")])
    document = json.loads(store.get(place.metadata))
    document["objects"][0][f"{place.prefix}-00001"]["compression"] = "lzma"
    store.put(place.metadata, (json.dumps(document).encode(),))
    with pytest.raises(manifest.BackupError, match="'lzma', which is not supported"):
        restored(store, [place], tmp_path / "v")


def test_a_restore_is_resumed(store, tmp_path):
    place = put(store, "a", [(0, FIRST, "bz2"), (7 * MIB, SECOND, "zstd")])
    seen = []
    restored(store, [place], tmp_path / "v", progress=lambda done, whole: seen.append((done, whole)))
    whole = len(FIRST) + len(SECOND)
    assert seen == [(len(FIRST), whole), (whole, whole), (whole, whole)]
    store.delete(f"{place.container}/{place.prefix}-00001")  # is not asked for again
    with device.target({"path": str(tmp_path / "v")}) as target:
        target.write(7 * MIB, bytes(len(SECOND)))
        chunked.restore(store, [place], 1, target, target_is_zero=True, start=len(FIRST))
    assert holds(tmp_path / "v", [(0, FIRST), (7 * MIB, SECOND)])


def test_a_backup_that_is_deleted_leaves_the_others(store):
    places = [put(store, id, [(0, SECOND, "none")]) for id in ("a", "b")]
    chunks = chunked.Chunks(store)
    rows = [types.SimpleNamespace(container=one.container, facts={"service_metadata": one.prefix}) for one in places]
    chunks.delete(rows[0])
    assert [chunks.exists(row) for row in rows] == [False, True]
    assert list(store.names("volumebackups/volume_v/backup_a-00001")) == []
    assert not any("backup_a" in name for name in store.objects) and len(store.objects) == 2
