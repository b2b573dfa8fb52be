"""Interrupted backups and restores: a backup is complete or absent, and the work is resumed."""

import contextlib
import os
import signal
import subprocess
import sys
import textwrap

import pytest

from cinder_lite.backup import manifest, reader
from cinder_lite.blockio import device
from tests.unit.backup import stores, volumes
from tests.unit.backup.volumes import pattern

BASE = "abcdefghijkl" * 3 + "mno" + "." * 20  # five groups, one and a half of them empty
CHANGED = "abcdefghijkl" + "aXcdefgh...q" + "abcdefghijkl" + "mno" + "." * 8 + "rstu" + "." * 8
SIZE = len(pattern(BASE))


@pytest.fixture
def volume(tmp_path):
    return lambda letters: volumes.make(tmp_path / "volume", pattern(letters))


def based(volume):
    """The objects of a store with the full backup "one"."""
    store = stores.MemoryStore()
    volumes.write(store, "one", volume(BASE), SIZE)
    return store.objects


def cut_off(objects, path, dies_at, after, **more):
    """Back up "two" on "one" until the n-th change; whether it got to the end instead."""
    store = stores.MortalStore(objects, dies_at, after)
    try:
        volumes.write(store, "two", path, SIZE, parent="one", **more)
    except stores.Crash:
        return False
    return True


def restored(objects, tmp_path, backup_id="two"):
    return volumes.bring_back(stores.MortalStore(objects), backup_id, tmp_path / "target", SIZE)


@pytest.mark.parametrize("after", [False, True])
def test_a_run_interrupted_at_any_change_is_resumed(volume, tmp_path, after):
    start = based(volume)
    path = volume(CHANGED)
    whole = stores.MortalStore(dict(start))
    expected = volumes.write(whole, "two", path, SIZE, parent="one")
    for dies_at in range(1, whole.calls + 1):
        objects = dict(start)
        assert not cut_off(objects, path, dies_at, after)
        store = stores.MortalStore(objects)
        if manifest.exists(store, volumes.place(store, "two")):
            assert restored(objects, tmp_path) == pattern(CHANGED)
        assert volumes.write(store, "two", path, SIZE, parent="one") == expected
        assert restored(objects, tmp_path) == pattern(CHANGED)
        assert restored(objects, tmp_path, "one") == pattern(BASE)
        manifest.delete(store, volumes.place(store, "two"))
        assert objects == start


def test_stored_segments_are_not_stored_again(volume):
    start, path = based(volume), volume(CHANGED)
    objects = dict(start)
    whole = stores.MortalStore(dict(start))
    volumes.write(whole, "two", path, SIZE, parent="one")
    before = len(whole.puts)
    first = stores.MortalStore(objects, whole.calls - 2)  # dies at the last record of progress
    with pytest.raises(stores.Crash):
        volumes.write(first, "two", path, SIZE, parent="one")
    again = stores.MortalStore(objects)
    volumes.write(again, "two", path, SIZE, parent="one")
    assert len(again.puts) <= 4 < before
    assert not {name for name in again.puts if name.endswith("/index")} & set(first.puts)


@pytest.mark.parametrize("seed", range(5))
def test_a_run_may_be_cut_off_again_and_again(volume, tmp_path, seed):
    objects, path = based(volume), volume(CHANGED)
    for turn in range(100):
        if cut_off(objects, path, 4 + (turn + seed) % 5, turn % 2 == 0):
            break
    else:
        pytest.fail("it does not come to an end")
    assert restored(objects, tmp_path) == pattern(CHANGED)


@pytest.mark.parametrize("after", [False, True])
def test_another_content_is_never_mixed_with_the_first(volume, tmp_path, after):
    """The volume changes after the first run is cut off, as its file and the origin show."""
    start = based(volume)
    whole = stores.MortalStore(dict(start))
    volumes.write(whole, "two", volume(CHANGED), SIZE, parent="one")
    other = CHANGED.replace("a", "z").replace("r", ".")
    for dies_at in range(1, whole.calls - 2):
        objects = dict(start)
        assert not cut_off(objects, volume(CHANGED), dies_at, after, origin="snapshot 1")
        volume(other)
        os.utime(tmp_path / "volume", ns=(dies_at, dies_at))
        store = stores.MortalStore(objects)
        if manifest.exists(store, volumes.place(store, "two")):
            continue
        volumes.write(store, "two", tmp_path / "volume", SIZE, parent="one", origin="snapshot 2")
        assert restored(objects, tmp_path) == pattern(other)
        manifest.delete(store, volumes.place(store, "two"))
        assert objects == start


@pytest.mark.parametrize("loss", ["index", "segment", "cut index", "cut segment", "cut progress"])
def test_recorded_progress_is_verified(volume, tmp_path, loss):
    objects, path = based(volume), volume(CHANGED)
    whole = stores.MortalStore(dict(objects))
    volumes.write(whole, "two", path, SIZE, parent="one")
    cut_off(objects, path, whole.calls - 2, False)
    own = [name for name in objects if "backup_two" in name]
    for name in own:
        kind = {"index": "index", "progress": "progress"}.get(name.rsplit("/", 1)[1], "segment")
        if loss == kind:
            del objects[name]
        elif loss == f"cut {kind}":
            objects[name] = objects[name][:-1]
    volumes.write(stores.MortalStore(objects), "two", path, SIZE, parent="one")
    assert restored(objects, tmp_path) == pattern(CHANGED)


def test_of_two_workers_the_later_one_wins(volume, tmp_path):
    """The slower worker detects it and removes nothing of the faster one."""
    objects, path = based(volume), volume(CHANGED)

    class Overtaken(stores.MemoryStore):
        overtaken = False

        def put(self, name, parts):
            if "backup_two" in name and name.endswith("/index") and not self.overtaken:
                self.overtaken = True
                volumes.write(stores.MortalStore(objects), "two", path, SIZE, parent="one", origin="second")
            return super().put(name, parts)

    store = Overtaken()
    store.objects = objects
    with pytest.raises(manifest.Superseded):
        volumes.write(store, "two", path, SIZE, parent="one", origin="first")
    assert restored(objects, tmp_path) == pattern(CHANGED)
    folders = {name.split("/")[2] for name in objects if "backup_two" in name}
    assert len(folders) == 2  # the manifest and one run


@pytest.mark.parametrize("at", ["index", "segment", "progress", "manifest"])
def test_the_slower_worker_changes_nothing_of_what_the_faster_one_has_resumed(volume, tmp_path, at):
    """It is stopped before it stores an object, and goes on after the volume was changed."""
    objects, path = based(volume), volume(CHANGED)

    class Overtaken(stores.MemoryStore):
        progress, kept = 0, None

        def put(self, name, parts):
            kind = name.rsplit("/", 1)[1]
            self.progress += kind == "progress"
            self.overtake("segment" if kind.isdigit() else kind)
            return super().put(name, parts)

        def add(self, name, parts):
            self.overtake("manifest")
            return not self.has(name) and super().put(name, parts) > 0

        def overtake(self, kind):
            # The first group is complete by then.
            if self.progress > 1 and self.kept is None and at == kind:
                volumes.write(stores.MortalStore(objects), "two", path, SIZE, parent="one")
                self.kept = {name: data for name, data in objects.items() if "backup_two" in name}
                volume("z" * len(CHANGED))

    store = Overtaken()
    store.objects = objects
    with contextlib.suppress(manifest.Superseded):
        volumes.write(store, "two", path, SIZE, parent="one")
    assert store.kept and all(objects[name] == data for name, data in store.kept.items())
    assert restored(objects, tmp_path) == pattern(CHANGED)


def test_what_an_interrupted_run_has_not_completed_is_removed(volume, tmp_path):
    objects, path = based(volume), volume(CHANGED)
    whole = stores.MortalStore(dict(objects))
    volumes.write(whole, "two", path, SIZE, parent="one")
    for dies_at in range(3, whole.calls - 2):
        store = stores.MortalStore(dict(objects), dies_at)
        with pytest.raises(stores.Crash):
            volumes.write(store, "two", path, SIZE, parent="one")
        volumes.write(stores.MortalStore(store.objects), "two", path, SIZE, parent="one")
        assert len(store.objects) == len(whole.objects)
        assert sum(map(len, store.objects.values())) <= sum(map(len, whole.objects.values())) + 500


def test_a_worker_of_a_deleted_backup_stops_and_cleans_up(volume):
    objects, path = based(volume), volume(CHANGED)
    start = dict(objects)

    class Deleted(stores.MemoryStore):
        deleted = False

        def put(self, name, parts):
            if name.endswith("/index") and not self.deleted:
                self.deleted = True
                manifest.delete(self, volumes.place(self, "two"))
            return super().put(name, parts)

    store = Deleted()
    store.objects = objects
    with pytest.raises(manifest.Superseded):
        volumes.write(store, "two", path, SIZE, parent="one")
    assert objects == start


def test_a_restore_is_resumed_from_any_reported_progress(volume, tmp_path):
    store = stores.MemoryStore()
    data = pattern(CHANGED)
    volumes.write(store, "one", volume(CHANGED), SIZE)
    reports = []
    volumes.bring_back(store, "one", tmp_path / "target", SIZE, progress=lambda done, whole: reports.append(done))
    assert len(reports) > 5
    for old in (None, pattern("q") * 200):
        for stop in sorted(set(reports)):
            seen = []
            with contextlib.suppress(manifest.Cancelled):
                volumes.bring_back(store, "one", tmp_path / "target", SIZE, old and old[:SIZE], threads=1,
                                   progress=lambda done, whole: seen.append(done),
                                   cancelled=lambda: max(seen, default=0) >= stop)
            again = stores.MortalStore(store.objects)
            with device.Target(tmp_path / "target") as target:
                reader.restore(again, volumes.place(store, "one"), target, old is None, start=max(seen, default=0))
            assert (tmp_path / "target").read_bytes() == data
        assert len(again.gets) == 1  # gone on with at the end: only the manifest is read


WORKER = """
    import sys, pathlib, types
    from tests.unit.backup import stores, volumes

    class Telling(type(stores.directory("/"))):
        def put(self, name, parts):
            print(name, flush=True)
            return super().put(name, self.telling(parts))

        def telling(self, parts):
            for part in parts:
                yield part
                print("part", flush=True)

    store = Telling(types.SimpleNamespace(backup_posix_path=sys.argv[1], backup_container=None))
    path = pathlib.Path(sys.argv[2])
    volumes.write(store, "one", path, path.stat().st_size)
"""


def test_a_killed_process_leaves_only_objects_that_the_next_one_uses(volume, tmp_path):
    path = volume(CHANGED)
    for lines in range(1, 60, 8):
        worker = subprocess.Popen([sys.executable, "-c", textwrap.dedent(WORKER), tmp_path / "store", path],
                                  stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": os.getcwd()})
        for _ in range(lines):
            worker.stdout.readline()
        worker.send_signal(signal.SIGKILL)
        worker.communicate()
    store = stores.directory(tmp_path / "store")
    for name in os.listdir(store.incoming):
        os.utime(os.path.join(store.incoming, name), (0, 0))
    volumes.write(store, "one", path, SIZE)
    assert os.listdir(store.incoming) == []
    assert volumes.bring_back(store, "one", tmp_path / "target", SIZE) == pattern(CHANGED)
    manifest.delete(store, volumes.place(store, "one"))
    assert os.listdir(store.root) == [".incoming"]
