"""The memory of a backup is bounded, whatever the size of the volume."""

import os
import tracemalloc

import pytest

from cinder_lite import concurrency
from cinder_lite.backup import manifest, reader, writer
from cinder_lite.blockio import device
from tests.unit.backup import stores, volumes

GIB = 1024**3
BLOCK = 16384
THREADS = 3


class Held:
    """Counts the bytes of buffers that are alive."""

    def __init__(self):
        self.now = self.peak = 0
        self._lock = concurrency.native("threading").Lock()

    def buffer(self, data):
        held = self

        class Buffer(bytes):
            def __del__(self):
                held.change(-len(self))

        self.change(len(data))
        return Buffer(data)

    def change(self, size):
        with self._lock:
            self.now += size
            self.peak = max(self.peak, self.now)


class Discarding(stores.MemoryStore):
    """Streams objects, as the posix store does, and keeps them in pieces."""

    def __init__(self, held):
        super().__init__()
        self.held = held

    def put(self, name, parts):
        self.objects[name] = b""
        data = bytearray()
        for part in parts:
            data += part
        self.objects[name] = bytes(data)
        return len(data)

    def get(self, name, offset=0, size=None):
        return self.held.buffer(super().get(name, offset, size))


@pytest.mark.parametrize("segments", [4, 40])
def test_buffers_alive_do_not_grow_with_the_volume(tmp_path, segments):
    """A few spans a thread, of segments that are larger."""
    held = Held()

    class Source(device.Source):
        def read(self, offset, length):
            return held.buffer(super().read(offset, length))

    segment, group = 128 * BLOCK, 2 * 128 * BLOCK
    size = segments * segment
    path = tmp_path / "volume"
    path.write_bytes(os.urandom(size))
    store = Discarding(held)
    place = volumes.place(store, "one")
    with Source(path) as source:
        writer.write(store, place, source, size, writer.Format(BLOCK, segment, group, threads=THREADS))
    assert held.peak <= THREADS * 2 * writer.SPAN + 200_000  # one that is used and the next; and an index, read back
    held.peak = 0
    volumes.make(tmp_path / "target", bytes(size))
    with device.Target(tmp_path / "target") as target:
        reader.restore(store, place, target, target_is_zero=True, threads=THREADS)
    assert held.peak <= THREADS * 2 * reader.SPAN + 200_000  # one that is used and the next
    assert (tmp_path / "target").read_bytes() == path.read_bytes()


def test_four_tebibytes_take_no_more_memory_than_their_index(tmp_path):
    """A sparse volume with a little data in each eighth of it: written, compared with its parent, restored."""
    size = 4096 * GIB
    path, target_path = tmp_path / "volume", tmp_path / "target"
    with open(path, "wb") as file:
        for eighth in range(8):
            file.seek(eighth * size // 8 + 12345)
            file.write(os.urandom(100_000))
        file.truncate(size)
    with open(target_path, "wb") as file:
        file.truncate(size)
    store = stores.directory(tmp_path / "store")
    one, two = (volumes.place(store, backup_id) for backup_id in ("one", "two"))
    tracemalloc.start()
    try:
        with device.Source(path) as source:
            writer.write(store, one, source, size, writer.Format(threads=THREADS))
            assert writer.write(store, two, source, size, writer.Format(threads=THREADS), one).object_count == 1
        with device.Target(target_path) as target:
            reader.restore(store, two, target, target_is_zero=True)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 30_000_000
    assert os.path.getsize(os.path.join(store.root, two.manifest)) < 20_000
    for place in (path, target_path):
        with device.Source(place) as source:
            extents = list(source.extents(0, size))
            assert sum(end - start for start, end in extents) < 2_000_000
    with device.Source(tmp_path / "volume") as source, device.Source(target_path) as target:
        for start, end in source.extents(0, size):
            assert source.read(start, end - start) == target.read(start, end - start)
    manifest.delete(store, one)
