"""Details of the file driver: sparse and shared files, no partial copy under a final name, error messages."""

import os
import random
import subprocess
import sys
import urllib.parse

import pytest

from cinder_lite.blockio import sparse
from cinder_lite.volume.drivers import base, file
from tests.contract import backends
from tests.contract.backends import GIB, MIB, content, snapshot, volume, write

DATA = random.Random(11).randbytes(8 * MIB)


@pytest.fixture
def plain(tmp_path):
    return backends.file_driver(tmp_path)


def ignore(done, whole):
    """A progress callback that does nothing."""


def allocated(path):
    return os.stat(path).st_blocks * 512


def filled(driver):
    made = volume()
    driver.create(made)
    write(driver.path(made), 64 * MIB, DATA)
    return made


def test_files_stay_sparse(keeper):
    source, made, restored = filled(keeper), volume(4), volume()
    taken = snapshot(source)
    keeper.create_snapshot(taken)
    keeper.clone(made, source, ignore)
    keeper.from_snapshot(restored, taken, ignore)
    keeper.extend(made, 9)
    keeper.revert(source, taken)
    for path in (keeper.path(source), keeper.path(made), keeper.path(restored), keeper.snapshot_path(taken)):
        assert allocated(path) <= len(DATA) + MIB


def test_zeros_that_were_written_become_holes(plain):
    source, made = volume(), volume()
    plain.create(source)
    write(plain.path(source), 0, bytes(16 * MIB) + DATA + bytes(16 * MIB))
    write(plain.path(source), 48 * MIB + 5, b"end")
    plain.clone(made, source, ignore)
    assert content(plain.path(made)) == content(plain.path(source))
    if not shares(plain):
        assert allocated(plain.path(made)) <= len(DATA) + MIB < allocated(plain.path(source))


def shares(driver):
    """Whether the file system shares blocks, asked by doing it."""
    paths = [os.path.join(driver.directory, name) for name in ("one", "two")]
    with open(paths[0], "w+b") as one, open(paths[1], "wb") as two:
        one.write(b"x" * 4096)
        one.flush()
        try:
            return sparse.reflink(one.fileno(), two.fileno())
        finally:
            for path in paths:
                os.unlink(path)


@pytest.mark.parametrize("kind", backends.SHARING)
def test_copies_share_blocks_where_they_can(kind, disks):
    driver = backends.file_driver(disks(kind))
    source = filled(driver)
    os.sync()
    free = driver.pools()[0].free_gb
    progress, seen = backends.following()
    for _ in range(20):
        driver.clone(volume(), source, progress)
        driver.create_snapshot(snapshot(source))
    os.sync()
    assert (free - driver.pools()[0].free_gb) * GIB < 2 * len(DATA)
    assert seen == [(GIB, GIB)] * 20


@pytest.mark.parametrize("name", backends.KEEPING_DATA)
def test_an_interrupted_copy_is_invisible_and_is_repeated(name, tmp_path, disks):
    driver = backends.DRIVERS[name](tmp_path, disks)
    source, made = filled(driver), volume()
    program = ("import os, sys\n"
               "from tests.contract import backends\n"
               "from cinder_lite.volume.drivers import base, file\n"
               "directory, source, made = sys.argv[1:]\n"
               "driver = file.FileDriver(backends.options(file.OPTIONS, file_volume_dir=directory), 'backend')\n"
               "driver.clone(base.Volume(made, 1), base.Volume(source, 1), lambda done, whole: os._exit(9))\n")
    ended = subprocess.run([sys.executable, "-c", program, driver.directory, source.id, made.id])
    assert ended.returncode == 9
    assert os.listdir(driver.directory).count(f".{made.name}.part") == 1
    assert list(driver.names()) == [(source.name, GIB)]
    assert not driver.exists(made)
    driver.clone(made, source, ignore)
    assert content(driver.path(made)) == content(driver.path(source))
    assert sorted(os.listdir(driver.directory)) == sorted([source.name, made.name])


def test_an_image_on_the_same_disk_gives_its_blocks(keeper):
    image = os.path.join(keeper.directory, "an image")
    with open(image, "wb") as file:
        file.write(DATA)
    before, made = len(os.listdir(keeper.directory)), volume()
    assert keeper.clone_image(made, f"file://{urllib.parse.quote(image)}") == ({} if shares(keeper) else None)
    assert keeper.exists(made) == shares(keeper)
    if shares(keeper):
        assert content(keeper.path(made)) == (GIB, content(image)[1])
        assert allocated(keeper.path(made)) <= len(DATA) + MIB
    for elsewhere in (f"file://{image}-of-another", "rbd://cluster/pool/image/snap", "https://example.org/image"):
        assert keeper.clone_image(volume(), elsewhere) is None
    assert len(os.listdir(keeper.directory)) == before + shares(keeper)
    os.remove(image)
    keeper.delete(made)


def test_a_failed_copy_leaves_nothing(plain):
    source = filled(plain)

    def fail(done, whole):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        plain.clone(volume(), source, fail)
    assert os.listdir(plain.directory) == [source.name]


@pytest.mark.parametrize("then", ["changed", "deleted"])
@pytest.mark.parametrize("call", ["create", "clone", "revert"])
def test_a_call_that_was_repeated_meanwhile_changes_nothing(plain, monkeypatch, call, then):
    """It was stopped before its file got the volume's name; the next one was completed, and its volume changed."""
    source, made = filled(plain), volume()
    taken = snapshot(source)
    plain.create_snapshot(taken)
    calls = {"create": lambda: plain.create(made), "clone": lambda: plain.clone(made, source, ignore),
             "revert": lambda: plain.revert(source, taken)}
    its, names = source if call == "revert" else made, set()

    def stopped(file):
        monkeypatch.undo()
        fsync(file)
        calls[call]()
        if then == "deleted":
            plain.delete(its)
        else:
            with open(plain.path(its), "r+b") as changed:
                changed.write(b"changed")
        names.update(os.listdir(plain.directory))

    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", stopped)
    with pytest.raises(base.DriverError):
        calls[call]()
    assert set(os.listdir(plain.directory)) == names
    if then == "changed":
        with open(plain.path(its), "rb") as file:
            assert file.read(7) == b"changed"


@pytest.mark.parametrize("call", ["create", "clone", "snapshot", "delete", "clean_up"])
def test_leftovers_are_swept(plain, call):
    source, made = filled(plain), volume()
    taken = snapshot(source)
    partial = os.path.join(plain.directory, f".{taken.name if call == 'snapshot' else made.name}.part")
    with open(partial, "wb") as half:
        half.write(DATA)
    calls = {"create": lambda: plain.create(made), "clone": lambda: plain.clone(made, source, ignore),
             "snapshot": lambda: plain.create_snapshot(taken), "delete": lambda: plain.delete(made),
             "clean_up": plain.clean_up}
    calls[call]()
    assert not os.path.exists(partial)
    assert content(plain.path(source))[0] == GIB


def test_sweeping_leaves_other_files_alone(plain):
    source = filled(plain)
    for name in (".hidden", "notes", ".notes.part"):
        write_new(os.path.join(plain.directory, name))
    plain.clean_up()
    assert sorted(os.listdir(plain.directory)) == sorted([".hidden", "notes", ".notes.part", source.name])
    assert list(plain.names()) == [(source.name, GIB)]


def write_new(path):
    with open(path, "w") as new:
        new.write("x")


def test_a_copy_of_a_file_that_keeps_changing_is_refused(plain):
    source, made = filled(plain), volume()
    if shares(plain):
        return
    with pytest.raises(base.DriverError, match="is being written to.*detach"):
        plain.clone(made, source, lambda done, whole: write(plain.path(source), 0, os.urandom(8)))
    assert os.listdir(plain.directory) == [source.name]


def test_a_copy_of_a_file_that_changes_once_is_repeated(plain):
    source, made = filled(plain), volume()
    late = [b"late"]
    plain.clone(made, source, lambda done, whole: late and write(plain.path(source), 0, late.pop()))
    assert content(plain.path(made)) == content(plain.path(source))


def test_reverting_replaces_the_file_at_once(plain):
    made = filled(plain)
    taken = snapshot(made)
    plain.create_snapshot(taken)
    write(plain.path(made), 0, DATA)
    changed = content(plain.path(made))
    missing = base.Snapshot(made.id, 1, made)
    with pytest.raises(base.DriverError):
        plain.revert(made, missing)
    assert content(plain.path(made)) == changed


def test_a_directory_that_cannot_be_is_down(tmp_path):
    write_new(tmp_path / "taken")
    driver = file.FileDriver(backends.options(file.OPTIONS, file_volume_dir=str(tmp_path / "taken" / "in")), "one")
    with pytest.raises(base.BackendDown, match="taken/in .file_volume_dir of one. cannot be written to: Not a dir"):
        driver.check()


def on_a_mount(directory):
    options = backends.options(file.OPTIONS, file_volume_dir=str(directory), file_require_mount=True)
    return file.FileDriver(options, "one")


def test_a_disk_that_has_to_be_mounted_and_is_not_is_down(tmp_path):
    driver = on_a_mount(tmp_path)
    with pytest.raises(base.BackendDown, match="nothing is mounted at"):
        driver.check()


@pytest.mark.parametrize("kind", backends.SHARING[:1])
def test_a_mounted_disk_is_up_and_a_read_only_one_down(kind, disks):
    directory = disks(kind)
    driver = on_a_mount(directory)
    driver.check()
    subprocess.run(["mount", "-o", "remount,ro", directory], check=True)
    try:
        with pytest.raises(base.BackendDown, match="Read-only file system"):
            driver.check()
    finally:
        subprocess.run(["mount", "-o", "remount,rw", directory], check=True)


@pytest.mark.parametrize("kind", ["tmpfs"] if backends.can_mount() else [])
def test_a_full_disk_is_reported_and_leaves_nothing(kind, disks):
    driver = backends.file_driver(disks(kind))
    source, made = filled(driver), volume()
    with pytest.raises(base.DriverError, match=f"cannot copy {source.name} to {made.name}: No space left on device"):
        driver.clone(made, source, ignore)
    assert os.listdir(driver.directory) == [source.name]
