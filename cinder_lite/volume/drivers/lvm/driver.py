"""The LVM driver: volumes and snapshots are logical volumes of one volume group, with Cinder's names."""

import typing
from collections.abc import Callable, Iterable

from oslo_config import cfg

from cinder_lite.volume.drivers import base
from cinder_lite.volume.drivers.lvm import commands, parsing, privileged
from cinder_lite.volume.drivers.lvm.names import COPIED, REVERTED, lv_of, shown, snapshot_lv
from cinder_lite.volume.drivers.lvm.options import OPTIONS
from cinder_lite.volume.drivers.lvm.thick import Thick, lost
from cinder_lite.volume.drivers.lvm.thin import Thin
from cinder_lite.volume.drivers.lvm.volume_group import Group


class LvmDriver(base.Driver, base.HasPath, base.Revertable, base.ManagesExisting, base.LosesSnapshots):
    """Logical volumes, thin or thick, on disks of this host."""

    OPTIONS = OPTIONS
    unshared = ("hosts that change one volume group must lock it against each other (lvmlockd), which this driver does "
                "not support")
    needs_fence = True
    #: Bytes per unit of a volume's `size`.
    unit = base.GIB

    def __init__(self, options: cfg.ConfigOpts, backend: str) -> None:
        super().__init__(options, backend)
        self.group = Group(options.volume_group, options.lvm_conf_file, backend)
        self._chosen: typing.Any = None
        self._alone = False  # whether the helpers of former processes have ended their commands

    @property
    def kind(self) -> Thin | Thick:
        """Thin or Thick, as chosen by the first `check`."""
        if self._chosen is None:
            self.check()
        return self._chosen

    def check(self) -> None:
        report = self.group.report()
        if report.missing:
            raise base.BackendDown(f"{report.missing} physical volumes of volume group {self.group.name} are missing; "
                                   "connect them, or remove them with vgreduce --removemissing")
        if "x" in report.attr or report.attr[0] != "w":
            raise base.BackendDown(f"volume group {self.group.name} is exported or read-only (attributes "
                                   f"{report.attr}); change that with vgimport or vgchange")
        chosen = self._chosen or self._choose(report)
        chosen.check(report)
        self._chosen = chosen

    def _choose(self, report):
        thin = Thin(self.group, self.options, self.unit)
        auto = self.options.lvm_type == "auto" and (not report.rows or report.row(thin.pool) is not None)
        return thin if auto or self.options.lvm_type == "thin" else Thick(self.group, self.options, self.unit)

    def clean_up(self) -> None:
        if not self._alone:
            privileged.wait_for_former(self.group.name)
            self._alone = True
        self.kind.clean_up(self.group.rows())

    def pools(self) -> tuple[base.PoolStats, ...]:
        """One pool, named after the backend."""
        return (self.kind.pool_stats(self.backend, self.group.report()),)

    def create(self, volume: base.Volume) -> dict:
        self.kind.create(volume)
        return {}

    def delete(self, volume: base.Volume) -> None:
        self.kind.delete(volume)

    def extend(self, volume: base.Volume, new_size: int) -> None:
        self.kind.extend(volume, new_size * self.unit)

    def create_snapshot(self, snapshot: base.Snapshot) -> dict:
        self.kind.create_snapshot(snapshot)
        return {}

    def delete_snapshot(self, snapshot: base.Snapshot) -> None:
        self.kind.delete_snapshot(snapshot)

    def clone(self, volume: base.Volume, source: base.Volume, progress: Callable[[int, int], object]) -> dict:
        self.kind.clone(volume, source, progress)
        return {}

    def from_snapshot(self, volume: base.Volume, snapshot: base.Snapshot,
                      progress: Callable[[int, int], object]) -> dict:
        self.kind.from_snapshot(volume, snapshot, progress)
        return {}

    def revert(self, volume: base.Volume, snapshot: base.Snapshot) -> None:
        self.kind.revert(volume, snapshot)

    def names(self) -> Iterable[tuple[str, int | None]]:
        return [(shown(row.name), _size(row)) for row in self._complete()]

    def _complete(self):
        """The logical volumes that are neither incomplete nor pools."""
        return [row for row in self.group.rows() if not row.is_pool and commands.PART not in row.tags and
                not row.name.startswith((REVERTED, COPIED))]

    def lost_snapshots(self) -> dict[str, str]:
        rows = self.group.rows() if isinstance(self.kind, Thick) else ()
        return {shown(row.name): lost(row) for row in rows if row.is_cow and row.is_lost}

    def path(self, volume: base.Volume) -> str:
        return self.group.device(volume.name)

    def snapshot_path(self, snapshot: base.Snapshot) -> str:
        return self.group.device(snapshot_lv(snapshot))

    def activate(self, volume: base.Volume) -> None:
        self.group.activate(volume.name)

    def activate_snapshot(self, snapshot: base.Snapshot) -> None:
        self.group.activate(snapshot_lv(snapshot))

    def existing_volumes(self) -> list[base.Manageable]:
        return [self._found(row) for row in self._complete() if not _is_snapshot(row)]

    def existing_snapshots(self) -> list[base.Manageable]:
        return [self._found(row) for row in self._complete() if _is_snapshot(row)]

    def _found(self, row):
        reason = None
        if row.is_open:
            reason = "it is open on this host"
        elif row.is_thin != isinstance(self.kind, Thin):
            reason = f"it is {'thin' if row.is_thin else 'thick'}, unlike the volumes of this backend (lvm_type)"
        elif row.is_cow and row.is_lost:
            reason = lost(row)
        source = {"source-name": row.origin} if _is_snapshot(row) else None
        return base.Manageable({"source-name": shown(row.name)}, _size(row), reason, source)

    def inspect(self, reference: dict, volume: base.Volume | None = None) -> base.Manageable:
        name = self.name_of(reference)
        row = next((row for row in self._complete() if row.name in (name, lv_of(name))), None)
        if row is None:
            raise base.DriverError(f"there is no logical volume {name} in volume group {self.group.name}")
        if volume is None and row.is_cow:
            raise base.DriverError(f"{name} is a snapshot of {row.origin}, not a volume")
        if volume is not None and row.origin != volume.name:
            raise base.DriverError(f"{name} is not a snapshot of {volume.name}")
        return self._found(row)

    def manage(self, volume: base.Volume, reference: dict) -> dict:
        self._rename(self.name_of(reference), volume.name)
        self.extend(volume, volume.size)
        return {}

    def manage_snapshot(self, snapshot: base.Snapshot, reference: dict) -> dict:
        self._rename(lv_of(self.name_of(reference)), snapshot_lv(snapshot))
        return {}

    def _rename(self, old, new):
        """Rename it, unless an earlier call did."""
        if old != new and not self.group.run_unless(
                parsing.GONE, commands.rename(self.group.name, old, new), f"rename {old}") and \
                self.group.row(new) is None:
            raise base.DriverError(f"there is no logical volume {old} in volume group {self.group.name}")


def _is_snapshot(row):
    """Whether to treat it as a snapshot; a thin volume with an origin can be a snapshot or a clone."""
    return row.is_cow or bool(row.origin) and not row.name.startswith("volume-")


def _size(row):
    """The size in bytes that users see."""
    return row.tag(commands.SIZE) or row.origin_size if row.is_cow else row.size
