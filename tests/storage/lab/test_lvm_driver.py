"""Details of the LVM driver, on real volume groups."""

import contextlib
import fcntl
import logging
import os
import signal
import struct
import subprocess
import sys

import pytest

from cinder_lite import concurrency
from cinder_lite.concurrency import native_threads
from cinder_lite.host import privsep
from cinder_lite.volume.drivers import base
from cinder_lite.volume.drivers.lvm import privileged
from tests.contract.backends import GIB, MIB, snapshot, volume
from tests.services.processes import until
from tests.storage import lvm

SECRET = b"nobody else may read this" * 200


def ignore(done, whole):
    """Progress that nobody follows."""


@pytest.fixture
def group():
    with lvm.group() as name:
        yield name


def small(group, **values):
    return lvm.driver(group, lvm.SmallDriver, **values)


def there(group):
    """The names of the logical volumes that LVM does not hide."""
    return [name for name in lvm.lvs(group) if not name.startswith("[")]


# -- what there is to work with


def test_a_group_that_is_missing_is_down():
    with pytest.raises(base.BackendDown, match=r"no volume group nowhere \(volume_group of backend\).*vgcreate"):
        lvm.driver("nowhere")


def test_a_group_that_lost_a_disk_is_down_until_it_is_back():
    one, two = lvm.disks()
    lvm.run("vgcreate", "-y", "torn", one, two)
    made = lvm.driver("torn", lvm_type="default")
    try:
        with open(two, "r+b", buffering=0) as disk:
            label = os.pread(disk.fileno(), MIB, 0)
            os.pwrite(disk.fileno(), bytes(MIB), 0)
        with pytest.raises(base.BackendDown, match="1 physical volumes of volume group torn are missing; connect them"):
            made.check()
        with open(two, "r+b", buffering=0) as disk:
            os.pwrite(disk.fileno(), label, 0)
        made.check()
    finally:
        lvm.run("vgremove", "-f", "-y", "torn")


def test_the_type_follows_what_the_group_holds(group):
    lvm.run("lvcreate", "-y", "-L", "64M", "-n", "other", group)
    assert not small(group).pools()[0].thin
    lvm.run("lvremove", "-f", f"{group}/other")
    assert small(group).pools()[0].thin
    assert there(group) == [f"{group}-pool"]
    assert small(group).pools()[0].thin


def test_another_configuration_of_lvm_is_heeded(group, tmp_path):
    conf = tmp_path / "lvm.conf"
    conf.write_text('devices { filter = [ "r|.*|" ] scan = [ "/dev" ] use_devicesfile = 0 }\n')
    with pytest.raises(base.BackendDown, match=f"no volume group {group}"):
        lvm.driver(group, lvm_conf_file=str(conf))


def test_root_runs_only_what_the_driver_needs():
    with pytest.raises(ValueError, match="vgremove is not among"):
        privileged.lvm(["vgremove", "all"], "all", "", 0)
    with pytest.raises(ValueError, match="is not a block device"):
        privileged.zero("all", "/dev/null", 0, MIB)


def figures(group):
    """(bytes, percent of its data, percent of its metadata) of the thin pool, as LVM says them."""
    said = lvm.run("lvs", "--noheadings", "--nosuffix", "--units", "b", "-o", "lv_size,data_percent,metadata_percent",
                   f"{group}/{group}-pool").split()
    return int(said[0]), float(said[1]), float(said[2])


def test_figures_of_a_thin_pool_are_lvms_own(group, caplog):
    made = lvm.driver(group, lvm_type="thin", lvm_max_over_subscription_ratio="7")
    one = volume(2)
    made.create(one)
    lvm.run("dd", "if=/dev/urandom", f"of={made.path(one)}", "bs=1M", "count=64", "oflag=direct")
    # The kernel counts what was written a moment later.
    until(lambda: figures(group) == (read := figures(group)) and made.pools()[0].capabilities[
        "thin_pool_data_percent"] == read[1] > 0, what="the figures to settle")
    (pool,), (size, data, metadata) = made.pools(), figures(group)
    assert pool.total_gb == size / GIB
    assert pool.free_gb == pytest.approx(size * (1 - data / 100) / GIB)
    assert (pool.provisioned_gb, pool.thin, pool.thick) == (2, True, False)
    assert pool.capabilities["thin_pool_data_percent"] == data
    assert pool.capabilities["thin_pool_metadata_percent"] == metadata
    assert pool.max_over_subscription_ratio == "7"
    assert not caplog.records


def test_figures_of_thick_volumes_are_lvms_own(group):
    made, one = lvm.driver(group, lvm_type="default", lvm_zero_new_volumes=False), volume(2)
    made.create(one)
    made.create_snapshot(snapshot(one))
    size, free = lvm.run("vgs", "--noheadings", "--nosuffix", "--units", "b", "-o", "vg_size,vg_free", group).split()
    (pool,) = made.pools()
    assert (pool.total_gb, pool.free_gb) == (int(size) / GIB, int(free) / GIB)
    assert (pool.provisioned_gb, pool.thin, pool.thick) == (2, False, True)


def test_a_pool_that_runs_full_is_reported_before_it_is(group, caplog):
    lvm.run("lvcreate", "-y", "-L", "64M", "--thinpool", f"{group}-pool", group)
    made, one = lvm.driver(group), volume()
    made.create(one)
    made.pools()
    assert not caplog.records
    lvm.run("dd", "if=/dev/urandom", f"of={made.path(one)}", "bs=1M", "count=56", "oflag=direct")
    until(lambda: figures(group)[1] == 87.5, what="the pool's figure")
    with caplog.at_level(logging.WARNING):
        made.pools()
        made.pools()
    (record,) = caplog.records
    assert f"thin pool {group}/{group}-pool is nearly full: 87.5 percent of its data" in record.getMessage()


def create_thin(pool, first, count):
    """Have the kernel make so many thin devices, each of which takes a block of the pool's metadata. False: it
    refused."""
    target_msg, head = 0xC138FD0E, struct.Struct("3I7IQ128s136x")
    with open("/dev/mapper/control", "rb", buffering=0) as control:
        for number in range(first, first + count):
            message = b"create_thin %d\0" % number
            request = head.pack(4, 0, 0, head.size + 8 + len(message), head.size, 0, 0, 0, 0, 0, 0, pool.encode())
            try:
                fcntl.ioctl(control, target_msg, bytearray(request + bytes(8) + message))
            except OSError:
                return False
    return True


def test_metadata_that_run_full_are_reported_before_they_are_and_then_take_the_backend_down(group, caplog):
    lvm.run("lvcreate", "-y", "-L", "64M", "--poolmetadatasize", "4M", "--thinpool", f"{group}-pool", group)
    made, pool = lvm.driver(group), f"{group}-{group}--pool-tpool"
    made.create(volume())
    before = made.pools()[0].free_gb
    assert create_thin(pool, 100000, 760)
    until(lambda: 80 < figures(group)[2] < 95, what="the pool's figure")
    with caplog.at_level(logging.WARNING):
        (stats,) = made.pools()
    (record,) = caplog.records
    assert f"{stats.capabilities['thin_pool_metadata_percent']:.1f} of its metadata are used" in record.getMessage()
    assert stats.free_gb < before
    made.check()
    assert not create_thin(pool, 200000, 1000)
    with pytest.raises(base.DriverError, match="cannot create volume-.*free space in thin pool"):
        made.create(volume())
    with pytest.raises(base.BackendDown, match="its metadata is full; repair it with lvextend --poolmetadatasize"):
        made.check()
    lvm.run("lvextend", "--poolmetadatasize", "+4M", f"{group}/{group}-pool")
    made.check()
    made.create(volume())


def test_a_full_group_is_said_and_leaves_nothing(group):
    made = lvm.driver(group, lvm_type="default", volume_clear="none")
    with pytest.raises(base.DriverError, match=r"cannot create volume-.*insufficient free space"):
        made.create(volume(100))
    assert there(group) == []


# -- content


def test_a_thick_volume_is_zeros_wherever_it_lies_and_so_is_what_it_grows_by(group):
    lvm.run("lvcreate", "-y", "-L", "2G", "-n", "before", group)
    lvm.run("dd", "if=/dev/urandom", f"of=/dev/{group}/before", "bs=1M", "count=2048", "oflag=direct")
    lvm.run("lvremove", "-f", f"{group}/before")
    made, one = lvm.driver(group, lvm_type="default", volume_clear="none"), volume()
    made.create(one)
    made.extend(one, 2)
    with open(made.path(one), "rb", buffering=0) as device:
        while piece := device.read(4 * MIB):
            assert not piece.strip(b"\0")
        assert device.tell() == 2 * GIB
    assert lvm.run("lvs", "--noheadings", "-o", "lv_tags", group).strip() == ""


@pytest.mark.parametrize("values, stays", [
    ({"volume_clear": "none"}, True), ({"volume_clear": "zero"}, False),
    ({"volume_clear": "shred", "volume_dd_blocksize": "5M"}, False),
    ({"volume_clear": "zero", "volume_clear_size": 1}, True)])
def test_what_was_deleted_is_overwritten_as_asked(group, values, stays):
    made, one = small(group, lvm_type="default", **values), volume()
    made.create(one)
    start = int(lvm.run("pvs", "--noheadings", "--nosuffix", "--units", "b", "-o", "pe_start", lvm.disks()[0]))
    made.path(one).write_at(2 * MIB, SECRET)
    taken = snapshot(one)
    made.create_snapshot(taken)
    made.path(one).write_at(2 * MIB, bytes(len(SECRET)))
    made.path(one).write_at(4 * MIB, SECRET)
    made.delete_snapshot(taken)
    made.delete(one)
    with open(lvm.disks()[0], "rb", buffering=0) as disk:
        disk.seek(start)
        assert (SECRET in disk.read(3 * lvm.UNIT)) == stays
    assert there(group) == []


def test_a_snapshot_that_overflowed_is_lost_and_says_so(group):
    made, one = small(group, lvm_type="default", lvm_snapshot_percent=10), volume()
    made.create(one)
    kept, taken = snapshot(one), snapshot(one)
    made.create_snapshot(taken)
    assert made.lost_snapshots() == {}
    made.path(one).write_at(0, os.urandom(15 * MIB))
    made.create_snapshot(kept)
    assert list(made.lost_snapshots()) == [taken.name]
    room = int(lvm.run("lvs", "--noheadings", "--nosuffix", "--units", "b", "-o", "lv_size", f"{group}/_{taken.name}"))
    assert f"has overflowed: more than {room // MIB} MiB of its volume changed" in made.lost_snapshots()[taken.name]
    with pytest.raises(base.DriverError, match="has overflowed.*larger lvm_snapshot_percent"):
        made.from_snapshot(volume(), taken, ignore)
    before = made.path(one).content()
    with pytest.raises(base.DriverError, match="has overflowed"):
        made.revert(one, taken)
    assert made.path(one).content() == before
    made.delete_snapshot(taken)
    made.delete_snapshot(kept)
    made.delete(one)
    assert there(group) == []


def test_a_mirrored_volume_lies_on_two_disks():
    lvm.run("vgcreate", "-y", "mirrored", *lvm.disks())
    try:
        made, one = small("mirrored", lvm_type="default", lvm_mirrors=1), volume()
        made.create(one)
        assert lvm.run("lvs", "--noheadings", "-o", "segtype", "mirrored").strip() == "raid1"
        assert made.path(one).content() == (GIB, {})
        made.delete(one)
        assert there("mirrored") == []
    finally:
        lvm.run("vgremove", "-f", "-y", "mirrored")


@pytest.mark.parametrize("kind", ["thin", "default"])
def test_what_is_open_is_not_deleted(group, kind):
    made, one = small(group, lvm_type=kind), volume()
    made.create(one)
    with open(f"/dev/{group}/{one.name}", "rb"), pytest.raises(base.InUse, match=f"{one.name} is open on this host"):
        made.delete(one)
    assert made.exists(one)


def test_deleting_takes_what_a_revert_left_that_could_not_be_finished(group):
    made, one = small(group, lvm_type="thin"), volume()
    made.create(one)
    lvm.run("lvrename", group, one.name, f"_reverted-{one.name}")
    made.delete(one)
    assert there(group) == [f"{group}-pool"]


@pytest.mark.parametrize("kind", ["thin", "default"])
def test_creates_at_the_same_time_are_safe(group, kind):
    made = small(group, lvm_type=kind)
    wanted = [volume() for _ in range(8)]
    assert list(native_threads.map_in_threads(made.create, wanted, 8)) == [{}] * 8
    assert sorted(made.names()) == sorted((one.name, GIB) for one in wanted)


def test_a_group_that_keeps_lvm_waiting_holds_up_no_other_however_many_calls_wait(group):
    many = 70  # more than a backend runs operations at once, if not told otherwise
    with lvm.group(1) as other:
        slow, quick, one, two = small(group), small(other), volume(), volume()
        outcomes = []
        calls = [concurrency.native("threading").Thread(target=lambda: outcomes.append(slow.create(one)), daemon=True)
                 for _ in range(many)]
        with lvm.held(group):
            for call in calls:
                call.start()
            until(lambda: lvm.waiting(group) == many, limit=120, what="all calls to wait for LVM")
            quick.create(two)
            assert outcomes == []
        for call in calls:
            call.join()
        assert outcomes == [{}] * many and slow.exists(one) and quick.exists(two)


def test_a_copy_keeps_no_other_call_waiting(group):
    made, source, copied, other = small(group, lvm_type="default"), volume(), volume(), volume()
    made.create(source)
    made.path(source).write_at(0, SECRET)
    copying, done, outcomes = (*(concurrency.native("threading").Event() for _ in range(2)), [])

    def progress(*_):
        copying.set()
        assert done.wait(120)

    copy = concurrency.native("threading").Thread(
        target=lambda: outcomes.append(made.clone(copied, source, progress)), daemon=True)
    copy.start()
    assert copying.wait(120)
    made.create(other)
    taken = snapshot(other)
    made.create_snapshot(taken)
    made.extend(other, 2)
    made.delete_snapshot(taken)
    made.delete(other)
    assert outcomes == []
    done.set()
    copy.join()
    assert outcomes == [{}]
    assert made.path(copied).content() == made.path(source).content()


def test_what_is_inactive_is_made_active(group):
    made, one = lvm.driver(group, lvm_type="thin"), volume()
    made.create(one)
    taken = snapshot(one)
    made.create_snapshot(taken)
    lvm.run("vgchange", "-an", group)
    assert not os.path.exists(made.path(one))
    made.activate(one)
    made.activate(one)
    made.activate_snapshot(taken)
    assert os.path.exists(made.path(one)) and os.path.exists(made.snapshot_path(taken))


# -- what others made


@pytest.mark.parametrize("kind", ["thin", "default"])
def test_what_others_made_is_listed_and_taken_over(group, kind):
    made, mine = small(group, lvm_type=kind), volume()
    made.create(mine)
    size, pool = str(lvm.UNIT - 8 * MIB), f"{group}/{group}-pool"
    lvm.run("lvcreate", "-y", "-n", "theirs", *(
        ["-V", f"{size}b", "--thinpool", pool] if kind == "thin" else ["-L", f"{size}b", group]))
    if kind != "thin":
        lvm.run("blkdiscard", "-z", f"/dev/{group}/theirs")
    lvm.run("lvcreate", "-y", "-s", "-n", "taken", *(["-l", "100%ORIGIN"] if kind != "thin" else []), f"{group}/theirs")
    names = [(found.reference["source-name"], found.reason) for found in made.existing_volumes()]
    assert sorted(names) == [("theirs", None), (mine.name, None)]
    (found,) = made.existing_snapshots()
    assert (found.reference, found.source) == ({"source-name": "taken"}, {"source-name": "theirs"})

    managed = volume()
    assert made.inspect({"source-name": "theirs"}).size == lvm.UNIT - 8 * MIB
    for _ in range(2):
        made.manage(managed, {"source-name": "theirs"})
    assert made.path(managed).content() == (GIB, {})
    taken = snapshot(managed)
    assert made.inspect({"source-name": "taken"}, managed).reason is None
    for _ in range(2):
        made.manage_snapshot(taken, {"source-name": "taken"})
    assert {name for name, _ in made.names()} == {mine.name, managed.name, taken.name}
    with pytest.raises(base.DriverError, match=f"{taken.name} is not a snapshot of {mine.name}"):
        made.inspect({"source-name": taken.name}, mine)
    with pytest.raises(base.DriverError, match="there is no logical volume theirs"):
        made.inspect({"source-name": "theirs"})


@pytest.mark.parametrize("kind", ["thin", "default"])
def test_a_group_that_cinder_filled_is_used_as_it_is(group, kind):
    made, one = small(group, lvm_type=kind), volume()
    taken, copied, again = snapshot(one), volume(), volume()
    size = f"{lvm.UNIT}b"
    if kind == "thin":
        lvm.run("lvcreate", "-y", "-T", "-V", size, "-n", one.name, f"{group}/{group}-pool")
    else:
        lvm.run("lvcreate", "-y", "-n", one.name, group, "-L", size)
        lvm.run("blkdiscard", "-z", f"/dev/{group}/{one.name}")
    made.path(one).write_at(0, SECRET)
    lvm.run("lvcreate", "-y", "--name", f"_{taken.name}", "--snapshot", f"{group}/{one.name}",
            *(["-k", "y"] if kind == "thin" else ["-L", size]))
    made.path(one).write_at(0, SECRET[::-1])

    made.clean_up()
    assert sorted(made.names()) == sorted([(one.name, GIB), (taken.name, GIB)])
    made.from_snapshot(copied, taken, ignore)
    made.clone(again, one, ignore)
    assert made.path(copied).content()[1][0].startswith(SECRET[:4096])
    assert made.path(again).content()[1][0].startswith(SECRET[::-1][:4096])
    made.extend(one, 2)
    made.revert(one, taken)
    size, blocks = made.path(one).content()
    assert (size, blocks[0]) == (2 * GIB, SECRET[:4096])
    made.delete_snapshot(taken)
    for gone in (one, copied, again):
        made.delete(gone)
    assert made.names() == []


def test_a_volume_of_the_other_type_is_not_taken_over(group):
    made = small(group, lvm_type="thin")
    lvm.run("lvcreate", "-y", "-L", "64M", "-n", "thick", group)
    assert made.inspect({"source-name": "thick"}).reason.startswith("it is thick, unlike the volumes")


# -- root's process


def roots_process():
    """The number of root's process of this one."""
    for line in lvm.run("ps", "-ewwo", "pid,args").splitlines():
        number, _, command = line.strip().partition(" ")
        if "--privsep_context cinder_lite.host.privsep.storage" in command:
            return int(number)
    return None


def test_roots_process_is_started_again_when_it_was_killed(group):
    made, one = small(group), volume()
    os.kill(roots_process(), signal.SIGKILL)
    until(lambda: not privsep.storage.channel.running)
    made.create(one)
    assert made.exists(one)


#: Creates a volume of that type, in that group, of that id.
CREATING = """
import sys
from cinder_lite.volume.drivers import base
from tests.storage import lvm
kind, group, id = sys.argv[1:]
driver = lvm.driver(group, lvm_type=kind)
print("begun", flush=True)
driver.create(base.Volume(id, 2))
"""


@contextlib.contextmanager
def creating(*arguments):
    """A service that creates a volume; its process."""
    with subprocess.Popen([sys.executable, "-c", CREATING, *arguments], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "begun\n"
        yield process


def test_a_service_begins_when_roots_process_of_a_killed_one_has_ended_its_command(group):
    made, one = small(group, lvm_type="thin"), volume()
    cleaning = concurrency.native("threading").Thread(target=made.clean_up, daemon=True)
    with creating("thin", group, one.id) as process, lvm.held(group):
        until(lambda: lvm.waiting(group) == 1, limit=120, what="the command to wait for LVM")
        process.kill()
        process.wait()
        cleaning.start()
        assert lvm.waiting(group) == 1
    cleaning.join()
    assert lvm.waiting(group) == 0 and made.exists(one)


def test_roots_process_of_a_killed_service_overwrites_no_more_than_it_was_asked_for(group):
    made, one = lvm.driver(group, lvm_type="default"), volume(2)
    with creating("default", group, one.id) as process:
        until(lambda: os.path.exists(made.path(one)), limit=120, what="the volume to be overwritten")
        process.kill()
    made.clean_up()  # nobody has the volume open
    assert made.names() == [] and not made.exists(one)


def test_a_process_of_roots_that_may_not_be_started_is_said(group, monkeypatch):
    made = small(group)
    privsep.storage.stop()
    monkeypatch.setattr(sys, "executable", "/nowhere/python3")
    with pytest.raises(base.BackendDown, match=r"cannot start '/nowhere/privsep-helper .*sudoers"):
        made.check()
    monkeypatch.undo()
    made.check()
