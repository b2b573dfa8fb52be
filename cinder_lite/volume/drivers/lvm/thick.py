"""Thick volumes: copies take time, and snapshots need space that can overflow.

A volume has the tag commands.PART until it is complete, and an extended volume the tag commands.ZERO_FROM until its new
part reads as zeros.
"""

import contextlib
from collections.abc import Callable, Iterable

from oslo_config import cfg
from oslo_utils import strutils

from cinder_lite import errors
from cinder_lite.blockio import copy
from cinder_lite.blockio import device as content
from cinder_lite.volume.drivers import base
from cinder_lite.volume.drivers.lvm import commands, cow_revert, parsing, privileged
from cinder_lite.volume.drivers.lvm.names import COPIED, snapshot_lv
from cinder_lite.volume.drivers.lvm.volume_group import Group

MIB = 1024**2
#: Bytes per call of the privileged helper that overwrites a device.
PIECE = 64 * MIB
#: Bytes that a copy-on-write snapshot uses for each copied byte of its volume, metadata included.
COW_SHARE = 1.01
SHRED_TIMES = 3


class Thick:
    """The operations on thick volumes."""

    def __init__(self, group: Group, options: cfg.ConfigOpts, unit: int) -> None:
        """`unit` is the number of bytes per unit of a volume's `size`."""
        self.group, self.options, self.unit = group, options, unit

    def check(self, report: parsing.Group) -> None:
        """Nothing to check beyond the volume group."""

    def pool_stats(self, name: str, report: parsing.Group) -> base.PoolStats:
        provisioned = sum(row.size for row in report.rows if not row.is_cow and not row.is_pool and not row.is_thin)
        return base.PoolStats(name=name, total_gb=report.size / base.GIB, free_gb=report.free / base.GIB,
                              provisioned_gb=provisioned / base.GIB, multiattach=True, online_extend=True)

    def create(self, volume: base.Volume) -> None:
        with self._new_volume(volume, self.options.lvm_zero_new_volumes):
            pass

    def clone(self, volume: base.Volume, source: base.Volume, progress: Callable[[int, int], object]) -> None:
        with self._new_volume(volume, True) as new:
            if new:
                with self._frozen(source.name, COPIED + volume.name) as frozen:
                    self._copy(frozen, volume, progress)

    def from_snapshot(self, volume: base.Volume, snapshot: base.Snapshot,
                      progress: Callable[[int, int], object]) -> None:
        with self._new_volume(volume, True) as new:
            if new:
                self.group.activate(snapshot_lv(snapshot))
                self._copy(snapshot_lv(snapshot), volume, progress)

    @contextlib.contextmanager
    def _new_volume(self, volume, in_steps):
        """Create a volume of zeros, which is complete at the end of the block; yields False if it exists already."""
        name, size = volume.name, volume.size * self.unit
        tags = (commands.PART,) if in_steps else ()
        if not self.group.run_unless(parsing.EXISTS, commands.create_thick(
                self.group.name, name, size, self.options.lvm_mirrors, tags), f"create {name}"):
            if commands.PART not in self._row(name).tags:
                yield False
                return
            self.group.activate(name)
        try:
            if self.options.lvm_zero_new_volumes:
                self._zero(self.group.device(name), 0, size)
            yield True
        except errors.Stale:
            raise  # another worker has the volume by now
        except BaseException:
            self.group.remove(name)
            raise
        if in_steps:
            self.group.run(commands.remove_tag(self.group.name, name, commands.PART), f"finish {name}")

    @contextlib.contextmanager
    def _frozen(self, source, name):
        """A copy-on-write snapshot of a volume for the duration of the block; yields its name."""
        take = commands.thick_snapshot(self.group.name, source, name, self.options.lvm_snapshot_percent,
                                       [commands.PART])
        if not self.group.run_unless(parsing.EXISTS, take, f"freeze {source}"):
            self.group.remove(name)  # left by an interrupted call, with old content
            self.group.run(take, f"freeze {source}")
        try:
            yield name
        finally:
            self.group.remove(name)

    def _copy(self, source, volume, progress):
        size = min(self.group.size(source), volume.size * self.unit)
        here, there = ({"path": self.group.device(name)} for name in (source, volume.name))
        with self._failing(f"copy {source} to {volume.name}", source):
            copy.copy(here, there, size, progress=progress)

    @contextlib.contextmanager
    def _failing(self, doing, snapshot=None):
        """Turn errors of devices into a DriverError, which mentions if the snapshot has overflowed."""
        try:
            yield
        except (content.ContentError, OSError) as error:
            row = self.group.row(snapshot) if snapshot else None
            if row is not None and row.is_lost:
                raise base.DriverError(f"cannot {doing}: {lost(row)}") from error
            raise base.DriverError(f"cannot {doing}: {error}") from error

    def _zero(self, device, start, end):
        with self._failing(f"overwrite {device}"):
            self._overwrite(privileged.zero, device, start, end)

    def _overwrite(self, call, device, start, end, *arguments):
        for begin in range(start, end, PIECE):
            call(self.group.name, device, begin, min(begin + PIECE, end), *arguments)

    def _row(self, name):
        row = self.group.row(name)
        if row is None:
            raise base.DriverError(f"{name} is not in volume group {self.group.name}")
        return row

    def extend(self, volume: base.Volume, size: int) -> None:
        rows = {row.name: row for row in self.group.rows()}
        row = rows.get(volume.name)
        if row is None:
            raise base.DriverError(f"cannot extend {volume.name}: it is not in volume group {self.group.name}")
        if row.size > size:
            raise base.DriverError(f"{volume.name} has {row.size} bytes and cannot shrink to {size}")
        start, zeroes = row.tag(commands.ZERO_FROM), self.options.lvm_zero_new_volumes
        if start is None:
            if row.size == size:
                return
            start = row.size
            if zeroes:
                self._tag(commands.add_tag, row.name, start)
        snapshots = [one for one in rows.values() if one.is_cow and one.origin == row.name]
        self._grow(row, snapshots, start, size)
        if zeroes:
            # Snapshots need no copy of the new part's old content.
            below = self.group.real_device if snapshots else self.group.device
            self._zero(below(row.name), start, size)
            self._tag(commands.remove_tag, row.name, start)

    def _tag(self, command, name, start):
        self.group.run(command(self.group.name, name, f"{commands.ZERO_FROM}{start}"), f"extend {name}")

    def _grow(self, row, snapshots, start, size):
        """Extend it, and the space of its snapshots, which copy changed blocks of the new part too."""
        name = row.name
        if not snapshots:
            self.group.run_unless(parsing.SAME_SIZE, commands.extend(self.group.name, name, size), f"extend {name}")
            self.group.activate(name)
            return
        if row.is_open:
            raise base.InUse(f"cannot extend {name} while it is open: it has snapshots, and LVM extends such volumes "
                             "only while they are not in use; detach it, or delete its snapshots")
        self.group.run(commands.deactivate(self.group.name, name), f"extend {name}")
        try:
            self.group.run_unless(parsing.SAME_SIZE, commands.extend(self.group.name, name, size), f"extend {name}")
            for snapshot in snapshots:
                space = start * self.options.lvm_snapshot_percent // 100 + size - start
                self._extend_snapshot(snapshot, int(space * COW_SHARE) // 512 * 512)
        finally:
            self.group.run(commands.activate(self.group.name, name), f"activate {name}")

    def _extend_snapshot(self, snapshot, space):
        if snapshot.size < space:
            self.group.run_unless(parsing.SAME_SIZE, commands.extend(self.group.name, snapshot.name, space),
                                  f"extend {snapshot.name}")

    def create_snapshot(self, snapshot: base.Snapshot) -> None:
        name, tags = snapshot_lv(snapshot), [f"{commands.SIZE}{snapshot.size * self.unit}"]
        self.group.run_unless(parsing.EXISTS, commands.thick_snapshot(
            self.group.name, snapshot.volume.name, name, self.options.lvm_snapshot_percent, tags), f"create {name}")

    def delete(self, volume: base.Volume) -> None:
        rows = self.group.rows()
        depending = [row.name for row in rows if row.is_cow and row.origin == volume.name and
                     commands.PART not in row.tags]
        if depending:
            raise base.InUse(f"cannot delete {volume.name} before its snapshots {', '.join(depending)}")
        self._clear_and_remove(rows, volume.name, self.group.device(volume.name))

    def delete_snapshot(self, snapshot: base.Snapshot) -> None:
        name = snapshot_lv(snapshot)
        self._clear_and_remove(self.group.rows(), name, self.group.cow_device(name))

    def _clear_and_remove(self, rows, name, device):
        row = next((row for row in rows if row.name == name), None)
        if row is None:
            return
        if row.is_open:
            raise base.InUse(f"{name} is open on this host; detach it and try again")
        if self.options.volume_clear != "none":
            self.group.activate(name)
            with self._failing(f"overwrite {name}"):
                self._clear(device, row.size)
        self.group.remove(name)

    def _clear(self, device, size):
        end = min(size, self.options.volume_clear_size * MIB or size)
        if self.options.volume_clear == "zero":
            self._overwrite(privileged.zero, device, 0, end)
        else:
            block = strutils.string_to_bytes(f"{self.options.volume_dd_blocksize}B", return_int=True)
            for _ in range(SHRED_TIMES):
                self._overwrite(privileged.shred, device, 0, end, block)

    def revert(self, volume: base.Volume, snapshot: base.Snapshot) -> None:
        """Write back the changed blocks. Idempotent."""
        name = snapshot_lv(snapshot)
        for one in (volume.name, name):
            self.group.activate(one)
        with self._failing(f"revert {volume.name}", name):
            cow_revert.restore(self.group.device(name), self.group.device(volume.name), snapshot.size * self.unit)

    def clean_up(self, rows: Iterable[parsing.Row]) -> None:
        """Remove incomplete objects, snapshots first, because volumes with snapshots cannot be removed."""
        for row in sorted(rows, key=lambda row: not row.is_cow):
            if commands.PART in row.tags:
                self.group.remove(row.name)


def lost(row: parsing.Row) -> str:
    """The reason why a copy-on-write snapshot is invalid."""
    return (f"{row.name} has overflowed: more than {row.size // MIB} MiB of its volume changed; delete it, and take "
            "snapshots with a larger lvm_snapshot_percent")
