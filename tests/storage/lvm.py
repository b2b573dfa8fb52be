"""LVM backends on the disks of the kernel lab: a fresh volume group for each test, and its drivers."""

import contextlib
import dataclasses
import fcntl
import itertools
import os
import subprocess

from cinder_lite.volume.drivers.lvm.driver import OPTIONS, LvmDriver
from tests.contract import backends
from tests.contract.backends import GIB, MIB

BLOCK = 4096
NUMBERS = itertools.count()


def run(*command):
    """The output of a command, which has to succeed."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def disks():
    """The lab's disks."""
    return os.environ["KERNEL_LAB_DISKS"].split()


@contextlib.contextmanager
def group(disk=0):
    """A new volume group on one of the disks, whose bytes stay from test to test; gives its name, and removes it."""
    name = f"lab{next(NUMBERS)}"
    run("vgcreate", "-y", name, disks()[disk])
    try:
        yield name
    finally:
        run("vgremove", "-f", "-y", name)


@contextlib.contextmanager
def held(group):
    """Hold the group's lock, for which all commands of LVM then wait, as they do for disks that do not answer."""
    path = f"/run/lock/lvm/V_{group}"
    while True:
        with open(path, "a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            # The command that has had it before removes the file.
            if os.path.exists(path) and os.path.samestat(os.stat(path), os.fstat(lock.fileno())):
                yield
                return


def waiting(group):
    """How many commands that make volumes in the group have not ended."""
    return sum("lvcreate" in line and group in line.split() for line in run("ps", "-ewwo", "args").splitlines())


def driver(volume_group, cls=LvmDriver, **values):
    """A driver on a volume group, checked; `values` are options."""
    made = cls(backends.options(OPTIONS, volume_group=volume_group, **values), "backend")
    made.check()
    return made


def lvs(group):
    """The names of all logical volumes of a group, with those that LVM hides."""
    return sorted(run("lvs", "-a", "--noheadings", "-o", "lv_name", group).split())


def emptied(group):
    """Remove all volumes of a group, and their snapshots."""
    run("lvremove", "-f", "--select", "lv_name=~^volume- || lv_name=~^_snapshot-", group)


class Windows:
    """The parts of each GiB (start, end) that tests write to: on a small volume, they are all that there is of it."""

    def __init__(self, *parts):
        self.parts = parts
        self.unit = sum(end - start for start, end in parts)

    def small(self, position):
        """Where the byte of a volume of whole GiB is on its small one."""
        whole, rest = divmod(position, GIB)
        for start, end in self.parts:
            if start <= rest < end:
                return whole * self.unit + sum(min(e, rest) - s for s, e in self.parts if s <= rest)
        raise ValueError(f"byte {position} is in no window")

    def large(self, position):
        """Where the byte of a small volume is on one of whole GiB."""
        whole, rest = divmod(position, self.unit)
        for start, end in self.parts:
            if rest < end - start:
                return whole * GIB + start + rest
            rest -= end - start
        raise ValueError(f"byte {position} is past the windows")


#: Those of the contract suite, and of its model.
CONTRACT = Windows((0, 16 * MIB), (96 * MIB, 104 * MIB), (296 * MIB, 304 * MIB), (GIB - 16 * MIB, GIB))
MODEL = Windows((0, 8 * MIB), (GIB - 4 * MIB, GIB))
UNIT = CONTRACT.unit


class SmallDevice:
    """The device of a small volume as a driver's `path` that looks like one of whole GiB; `size` cuts it off."""

    def __init__(self, path, windows, size=None):
        self._path, self._windows, self._size = path, windows, size

    def write_at(self, position, data):
        with open(self._path, "r+b", buffering=0) as device:
            os.pwrite(device.fileno(), data, self._windows.small(position))
            os.fsync(device.fileno())

    def content(self):
        """Its size, and {number of a 4 KiB block: bytes} of all that are not zeros."""
        with open(self._path, "rb", buffering=0) as device:
            size = self._size or device.seek(0, os.SEEK_END)
            blocks = {}
            for position in range(0, size, MIB):
                piece = os.pread(device.fileno(), MIB, position)
                if piece.strip(b"\0"):
                    blocks |= {self._windows.large(position + begin) // BLOCK: piece[begin:begin + BLOCK]
                               for begin in range(0, MIB, BLOCK) if piece[begin:begin + BLOCK].strip(b"\0")}
        return size // self._windows.unit * GIB, blocks

    @contextlib.contextmanager
    def open_size(self):
        with open(self._path, "rb") as device:
            yield lambda: device.seek(0, os.SEEK_END) // self._windows.unit * GIB


class SmallDriver(LvmDriver):
    """The driver, for which a GiB is smaller, and whose paths tests can read: snapshots are active."""

    windows = CONTRACT
    unit = CONTRACT.unit

    def path(self, volume):
        return SmallDevice(super().path(volume), self.windows)

    def snapshot_path(self, snapshot):
        self.activate_snapshot(snapshot)
        return SmallDevice(super().snapshot_path(snapshot), self.windows, snapshot.size * self.unit)

    def names(self):
        return [(name, size // self.unit * GIB) for name, size in super().names()]

    def pools(self):
        scale = GIB / self.unit
        return tuple(dataclasses.replace(
            pool, total_gb=pool.total_gb * scale, free_gb=pool.free_gb * scale,
            provisioned_gb=pool.provisioned_gb * scale) for pool in super().pools())


class ModelDriver(SmallDriver):
    """The driver for the model."""

    windows = MODEL
    unit = MODEL.unit
