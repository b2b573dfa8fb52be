"""Full and incremental backups: which blocks are read, stored and restored."""

import os

import pytest
from oslo_config import cfg

from cinder_lite.backup import index, manifest, reader, writer
from cinder_lite.blockio import device
from cinder_lite.concurrency import native_threads
from cinder_lite.conf import backup
from tests.unit.backup import stores, volumes
from tests.unit.backup.volumes import BLOCK, SMALL, pattern

FULL = "abAB..cc" + "." * 16 + "defgh..iXYZ"  # three groups of twelve blocks, the last one short


@pytest.fixture(params=["posix", "memory"])
def store(request, tmp_path):
    return stores.directory(tmp_path / "store") if request.param == "posix" else stores.MemoryStore()


@pytest.fixture
def volume(tmp_path):
    """A function that creates the file of a volume for some letters (see volumes.pattern)."""
    return lambda letters, tail=0: volumes.make(tmp_path / "volume", pattern(letters, tail))


def own_bytes(store, backup_id):
    """The bytes of blocks that a backup stored itself."""
    names = [name for name in store.names(volumes.place(store, backup_id).folder) if name.rsplit("/", 1)[1].isdigit()]
    return sum(store.size(name) for name in names)


@pytest.mark.parametrize("tail", [0, 1, 511])
@pytest.mark.parametrize("letters", [FULL, "a", ".", "." * 30, "a" * 50, "A" * 12, "." * 25 + "a"])
def test_a_full_backup_is_restored(store, volume, tmp_path, letters, tail):
    data = pattern(letters, tail)
    volumes.write(store, "one", volume(letters, tail), len(data))
    assert volumes.bring_back(store, "one", tmp_path / "target", len(data)) == data
    assert volumes.bring_back(store, "one", tmp_path / "target", len(data), old=b"\xff" * len(data)) == data


def test_the_result_describes_the_stored_objects(store, volume):
    data = pattern(FULL)
    result = volumes.write(store, "one", volume(FULL), len(data))
    place = volumes.place(store, "one")
    names = list(store.names(place.folder))
    assert result.container == store.container("one")
    assert result.service_metadata == "backup_one"
    assert result.object_count == len(names)
    assert result.stored_bytes == sum(store.size(name) for name in names if name != place.manifest)
    assert manifest.exists(store, place) and not manifest.exists(store, volumes.place(store, "other"))


def test_zeros_are_not_stored_and_letters_are_compressed(store, volume):
    volumes.write(store, "random", volume("abcdefgh"), 8 * BLOCK)
    volumes.write(store, "zeros", volume("ab...................."), 22 * BLOCK)
    volumes.write(store, "text", volume("ABCDEFGH"), 8 * BLOCK)
    assert own_bytes(store, "random") == 8 * BLOCK
    assert own_bytes(store, "zeros") == 2 * BLOCK
    assert own_bytes(store, "text") < BLOCK
    volumes.write(store, "plain", volume("ABCDEFGH"), 8 * BLOCK,
                  layout=writer.Format(BLOCK, 4 * BLOCK, 12 * BLOCK, compress=False))
    assert own_bytes(store, "plain") == 8 * BLOCK


def test_a_backup_of_nothing_is_a_manifest(store, volume, tmp_path):
    result = volumes.write(store, "one", volume("." * 100), 100 * BLOCK)
    assert result.object_count == 1 and result.stored_bytes == 0
    assert volumes.bring_back(store, "one", tmp_path / "target", 100 * BLOCK) == bytes(100 * BLOCK)


def test_holes_are_neither_read_nor_written(store, tmp_path):
    reads, writes = [], []

    class Source(device.Source):
        def read(self, offset, length):
            reads.append((offset, offset + length))
            return super().read(offset, length)

    class Target(device.Target):
        def write(self, offset, data):
            writes.append((offset, offset + len(data)))
            super().write(offset, data)

    block, piece = 16384, 65536
    layout = writer.Format(block, 4 * block, 8 * block)
    path, size = tmp_path / "volume", 64 * piece
    with open(path, "wb") as file:
        for number in (3, 4, 40):
            file.seek(number * piece)
            file.write(os.urandom(piece))
        file.seek(50 * piece)
        file.write(bytes(piece))  # zeros that take room are read, but not written
        file.truncate(size)
    with Source(path) as source:
        writer.write(store, volumes.place(store, "one"), source, size, layout)
    assert {start // piece for start, _ in reads} == {3, 4, 40, 50}
    assert all(start // piece == (end - 1) // piece for start, end in reads)
    for target_is_zero in (True, False):
        writes.clear()
        volumes.make(tmp_path / "target", bytes(size) if target_is_zero else b"\xff" * size)
        with Target(tmp_path / "target") as target:
            reader.restore(store, volumes.place(store, "one"), target, target_is_zero)
        assert {start // piece for start, _ in writes} == {3, 4, 40}
        assert (tmp_path / "target").read_bytes() == path.read_bytes()
        with device.Source(tmp_path / "target") as written:
            assert sum(end - start for start, end in written.extents(0, size)) == 3 * piece


def test_an_incremental_backup_stores_changed_blocks(store, volume, tmp_path):
    volumes.write(store, "one", volume("abcdefgh" * 3), 24 * BLOCK)
    changed = "abcdefgh" + "aXcdefgh" + "abcd.fgq"
    result = volumes.write(store, "two", volume(changed), 24 * BLOCK, parent="one")
    assert own_bytes(store, "two") < BLOCK + 100  # q and the compressed X
    assert result.object_count == 2 + 2 + 1  # two segments in two groups, two indexes, the manifest
    assert volumes.bring_back(store, "two", tmp_path / "target", 24 * BLOCK) == pattern(changed)
    assert volumes.bring_back(store, "one", tmp_path / "target", 24 * BLOCK) == pattern("abcdefgh" * 3)


def test_an_unchanged_volume_costs_one_object(store, volume, tmp_path):
    volumes.write(store, "one", volume(FULL), len(pattern(FULL)))
    result = volumes.write(store, "two", volume(FULL), len(pattern(FULL)), parent="one")
    assert result.object_count == 1 and result.stored_bytes == 0
    assert volumes.bring_back(store, "two", tmp_path / "target", len(pattern(FULL))) == pattern(FULL)


def test_a_chain_of_four_restores_at_every_link(store, volume, tmp_path):
    states = ["abcdefghijkl" * 2, "abcXefghijkl" + "m" * 12, "abcXefgh...." + "m" * 11 + "n", "." * 20 + "xyzd"]
    for number, letters in enumerate(states):
        volumes.write(store, f"b{number}", volume(letters), 24 * BLOCK, parent=f"b{number - 1}" if number else None)
    for number, letters in enumerate(states):
        back = volumes.bring_back(store, f"b{number}", tmp_path / "target", 24 * BLOCK, old=pattern("q" * 24))
        assert back == pattern(letters)
        assert reader.verify(store, volumes.place(store, f"b{number}")) == 24 * BLOCK


@pytest.mark.parametrize("tail", [0, 100])
def test_a_volume_may_grow_between_the_links(store, volume, tmp_path, tail):
    before, after = "abc..fg", "abc..fg....." + "hij" + "." * 20 + "k"
    volumes.write(store, "one", volume(before, tail), len(pattern(before, tail)))
    volumes.write(store, "two", volume(after), len(pattern(after)), parent="one")
    assert volumes.bring_back(store, "two", tmp_path / "target", len(pattern(after))) == pattern(after)


def test_a_grown_volume_of_the_same_content_keeps_its_parents_index(store, volume, tmp_path):
    volumes.write(store, "one", volume("ab.."), 4 * BLOCK)
    result = volumes.write(store, "two", volume("ab" + "." * 30), 32 * BLOCK, parent="one")
    assert result.object_count == 1
    assert volumes.bring_back(store, "two", tmp_path / "target", 32 * BLOCK) == pattern("ab" + "." * 30)


def test_a_required_full_backup_is_reported(store, volume):
    volumes.write(store, "one", volume("abcd"), 4 * BLOCK)
    larger = writer.Format(2 * BLOCK, 4 * BLOCK, 12 * BLOCK)
    with pytest.raises(manifest.NeedsFullBackup, match="512 bytes and backup_sha_block_size_bytes is 1024"):
        volumes.write(store, "two", volume("abcd"), 4 * BLOCK, parent="one", layout=larger)
    with pytest.raises(manifest.NeedsFullBackup, match="larger than this one"):
        volumes.write(store, "two", volume("abc"), 3 * BLOCK, parent="one")
    with pytest.raises(manifest.NeedsFullBackup, match="make a full backup"):
        volumes.write(store, "two", volume("abc"), 3 * BLOCK, parent="never made")
    assert not list(store.names(volumes.place(store, "two").folder))


def test_another_segment_size_does_not_matter_to_a_chain(store, volume, tmp_path):
    volumes.write(store, "one", volume("abcdefgh"), 8 * BLOCK)
    other = writer.Format(BLOCK, 2 * BLOCK, 4 * BLOCK)
    volumes.write(store, "two", volume("abXdefgh"), 8 * BLOCK, parent="one", layout=other)
    assert volumes.bring_back(store, "two", tmp_path / "target", 8 * BLOCK) == pattern("abXdefgh")


def test_progress_rises_to_the_total(store, volume, tmp_path):
    seen = []
    size = len(pattern(FULL, 7))

    def progress(done, whole):
        seen.append((done, whole))

    volumes.write(store, "one", volume(FULL, 7), size, progress=progress)
    volumes.bring_back(store, "one", tmp_path / "target", size, old=pattern("q"), progress=progress)
    half = seen.index((size, size)) + 1
    for part in (seen[:half], seen[half:]):
        assert part == sorted(part) and part[-1] == (size, size) and len(part) > 2


def test_a_cancelled_backup_is_absent_and_can_be_resumed(store, volume, tmp_path):
    size, asked = len(pattern(FULL)), []
    with pytest.raises(manifest.Cancelled):
        volumes.write(store, "one", volume(FULL), size, cancelled=lambda: asked.append(1) or len(asked) > 6)
    assert not manifest.exists(store, volumes.place(store, "one"))
    volumes.write(store, "one", tmp_path / "volume", size)
    assert volumes.bring_back(store, "one", tmp_path / "target", size) == pattern(FULL)


def test_a_source_shorter_than_the_volume_makes_no_backup(store, volume):
    with pytest.raises(device.ContentError, match="ends at byte"):
        volumes.write(store, "one", volume("abc"), 4 * BLOCK)
    assert not manifest.exists(store, volumes.place(store, "one"))


def test_delete_leaves_nothing_and_may_be_repeated(store, volume):
    volumes.write(store, "one", volume(FULL), len(pattern(FULL)))
    volumes.write(store, "other", volume(FULL), len(pattern(FULL)))
    place = volumes.place(store, "one")
    for _ in range(2):
        manifest.delete(store, place)
        assert not manifest.exists(store, place)
        assert not list(store.names(place.folder))
    assert reader.verify(store, volumes.place(store, "other"))


def test_an_existing_backup_is_not_repeated(store, volume):
    first = volumes.write(store, "one", volume("abc"), 3 * BLOCK)
    assert volumes.write(store, "one", volume("xyz"), 3 * BLOCK, origin="something else") == first


def test_backups_beside_each_other(store, tmp_path):
    """Eight at a time, four of them into one container."""
    letters = [chr(ord("a") + number) * 3 + FULL for number in range(8)]
    paths = [volumes.make(tmp_path / f"volume{number}", pattern(text)) for number, text in enumerate(letters)]
    places = [manifest.Place(f"b{number}", "shared" if number % 2 else f"own/{number}") for number in range(8)]

    def work(number):
        with device.Source(paths[number]) as source:
            return writer.write(store, places[number], source, len(pattern(letters[number])), SMALL)

    list(native_threads.map_in_threads(work, range(8), 8))
    manifest.delete(store, places[3])
    for number in (0, 1, 2, 4, 5, 6, 7):
        target = volumes.make(tmp_path / "target", bytes(len(pattern(letters[number]))))
        with device.Target(target) as opened:
            reader.restore(store, places[number], opened, target_is_zero=True)
        assert target.read_bytes() == pattern(letters[number])


def test_the_options_make_a_format():
    conf = cfg.ConfigOpts()
    conf.register_opts(backup.OPTIONS["DEFAULT"])
    conf([])
    assert writer.Format.of(conf) == writer.Format()
    conf.set_override("backup_sha_block_size_bytes", 96 * 1024)
    conf.set_override("backup_file_size", 10 * 1024**2)
    conf.set_override("backup_compression_algorithm", "off")
    layout = writer.Format.of(conf)
    assert layout.segment_size % layout.block_size == 0 and layout.segment_size >= 10 * 1024**2
    assert layout.group_size % layout.segment_size == 0 and layout.group_size <= 1024**3
    assert not layout.compress


def test_an_index_is_the_same_after_coding():
    records = [index.Record(number, number % 3, number * 7, 7, bytes([number]) * 32) for number in range(9)]
    tables = [index.pack(records), b"", index.pack(records[:2])]
    assert index.unpack(tables[0]) == records
    assert index.decode("name", index.encode("ab" * 16, 5, tables), "ab" * 16, 5) == tables
