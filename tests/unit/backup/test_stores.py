"""The interface of backup stores, and details of the posix store."""

import fcntl
import os

import pytest

from cinder_lite.backup.stores import base
from cinder_lite.concurrency import native_threads
from tests.unit.backup import stores


@pytest.fixture(params=["posix", "memory"])
def store(request, tmp_path):
    return stores.directory(tmp_path / "store") if request.param == "posix" else stores.MemoryStore()


def test_an_object_is_read_completely_and_in_ranges(store):
    assert store.put("c/a/1", (b"hello ", memoryview(b"wor"), b"ld")) == 11
    assert store.get("c/a/1") == b"hello world"
    assert store.get("c/a/1", 6) == b"world"
    assert store.get("c/a/1", 3, 4) == b"lo w"
    assert store.get("c/a/1", 8, 100) == b"rld"
    assert store.size("c/a/1") == 11


def test_an_empty_object_is_an_object(store):
    assert store.put("c/empty", ()) == 0
    assert store.get("c/empty") == b""


def test_put_replaces(store):
    store.put("c/a", (b"long text",))
    store.put("c/a", (b"short",))
    assert store.get("c/a") == b"short"


def test_a_missing_object_is_reported(store):
    for call in (store.get, store.size):
        with pytest.raises(base.ObjectMissing, match="c/nothing"):
            call("c/nothing")
    store.put("c/a", (b"x",))
    with pytest.raises(base.ObjectMissing):
        store.get("c/a/below")


def test_delete_may_be_repeated(store):
    store.put("c/a/1", (b"x",))
    store.delete("c/a/1")
    store.delete("c/a/1")
    store.delete("c/never/was")
    assert list(store.names("c")) == []


def test_a_folder_is_listed_and_removed_alone(store):
    wanted = {"c/a/1", "c/a/2", "c/a/deep/3"}
    for name in wanted | {"c/ab/1", "c/b"}:
        store.put(name, (b"x",))
    assert set(store.names("c/a")) == wanted
    assert set(store.names("c/nowhere")) == set()
    store.delete_folder("c/a")
    store.delete_folder("c/a")
    assert set(store.names("c")) == {"c/ab/1", "c/b"}


def test_a_failed_put_keeps_the_former_object(store):
    def parts():
        yield b"new"
        raise KeyError("source")

    store.put("c/a", (b"old",))
    for name in ("c/a", "c/b"):
        with pytest.raises(KeyError):
            store.put(name, parts())
    assert store.get("c/a") == b"old"
    assert set(store.names("c")) == {"c/a"}


def test_check_passes_and_leaves_nothing(tmp_path):
    store = stores.directory(tmp_path / "made" / "here")
    store.check()
    store.check()
    assert os.listdir(store.incoming) == []


def test_check_reports_the_reason(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(base.StoreError, match="backup_posix_path.*file"):
        stores.directory(tmp_path / "file").check()


@pytest.mark.parametrize("name", ["../out/a", "c/../../a", "/etc/passwd", "c//a", "c/.incoming/a", "c/a\0b",
                                  "c/" + "x" * 256])
def test_names_stay_below_the_directory(tmp_path, name):
    store = stores.directory(tmp_path / "store")
    with pytest.raises(base.StoreError, match="choose another container"):
        store.put(name, (b"x",))
    assert not (tmp_path / "out").exists()


def test_containers_are_spread_like_cinders(tmp_path):
    assert stores.directory(tmp_path).container("abcdef-12") == "ab/cd/abcdef-12"
    assert stores.directory(tmp_path, "mine").container("abcdef-12") == "mine"


def test_empty_directories_go_with_the_last_object(tmp_path):
    store = stores.directory(tmp_path / "store")
    store.put("ab/cd/abcd/x/1", (b"x",))
    store.put("ab/other", (b"x",))
    store.delete_folder("ab/cd/abcd/x")
    assert os.listdir(tmp_path / "store" / "ab") == ["other"]


def test_files_are_private(tmp_path):
    store = stores.directory(tmp_path / "store")
    store.put("c/a", (b"x",))
    assert os.stat(tmp_path / "store/c/a").st_mode & 0o777 == 0o600
    assert os.stat(tmp_path / "store/c").st_mode & 0o777 == 0o700


def test_sweep_removes_abandoned_writes(tmp_path):
    store = stores.directory(tmp_path / "store")
    store.check()
    dead, young, alive = (os.path.join(store.incoming, name) for name in ("dead", "young", "alive"))
    for path in (dead, young, alive):
        with open(path, "wb") as file:
            file.write(b"half")
    os.utime(dead, (0, 0))
    os.utime(alive, (0, 0))
    with open(alive, "rb") as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        store.sweep()
    assert sorted(os.listdir(store.incoming)) == ["alive", "young"]


def test_sweep_of_a_store_not_used_yet(tmp_path):
    stores.directory(tmp_path / "nothing").sweep()


def test_puts_and_deletes_of_one_directory_do_not_disturb_each_other(tmp_path):
    store = stores.directory(tmp_path / "store")

    def work(number):
        for turn in range(100):
            name = f"ab/cd/{number}/{turn % 3}"
            store.put(name, (b"%d" % turn,))
            assert store.get(name) == b"%d" % turn
            store.delete_folder(f"ab/cd/{number}")
        return number

    assert list(native_threads.map_in_threads(work, range(6), 6)) == list(range(6))
    assert not (tmp_path / "store/ab").exists()
