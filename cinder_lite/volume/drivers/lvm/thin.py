"""Volumes in a thin pool: snapshots and clones share blocks, are instant, and independent of their origin."""

import logging
from collections.abc import Callable, Iterable

from oslo_config import cfg

from cinder_lite.volume.drivers import base
from cinder_lite.volume.drivers.lvm import commands, parsing
from cinder_lite.volume.drivers.lvm.names import REVERTED, snapshot_lv
from cinder_lite.volume.drivers.lvm.volume_group import Group

LOG = logging.getLogger(__name__)

#: Percentage of a pool's data or metadata above which it is reported as nearly full.
NEARLY_FULL = 80


class Thin:
    """The operations on thin volumes."""

    def __init__(self, group: Group, options: cfg.ConfigOpts, unit: int) -> None:
        """`unit` is the number of bytes per unit of a volume's `size`."""
        self.group, self.options, self.unit = group, options, unit
        self.pool = f"{group.name}-pool"
        self._reported = NEARLY_FULL - 1

    def check(self, report: parsing.Group) -> None:
        """Create the pool if it is missing. Raises BackendDown if it does not work."""
        pool = report.row(self.pool)
        if pool is None:
            self.group.run_unless(parsing.EXISTS, commands.create_pool(self.group.name, self.pool),
                                  f"create the thin pool {self.pool}")
        elif not pool.is_pool:
            raise base.BackendDown(f"{self.pool} in volume group {self.group.name} is not a thin pool; rename it, or "
                                   "set lvm_type = default")
        elif pool.health in ("failed", "metadata_read_only"):
            full = (pool.metadata_percent or 0) > 99
            remedy = "lvextend --poolmetadatasize +SIZE" if full else "lvconvert --repair"
            raise base.BackendDown(f"thin pool {self.group.name}/{self.pool} has the state {pool.health}"
                                   f"{', because its metadata is full' if full else ''}; repair it with {remedy} "
                                   f"{self.group.name}/{self.pool}")

    def pool_stats(self, name: str, report: parsing.Group) -> base.PoolStats:
        """The PoolStats; logs a warning when the pool is nearly full."""
        pool = report.row(self.pool)
        if pool is None:
            raise base.BackendDown(f"there is no thin pool {self.group.name}/{self.pool}")
        data, metadata = pool.data_percent or 0, pool.metadata_percent or 0
        self._warn(data, metadata)
        held = [row for row in report.rows if row.pool == self.pool]
        provisioned = sum(row.size for row in held if not row.name.startswith("_snapshot-"))
        kept = sum(row.size * (row.data_percent or 0) / 100 for row in held if row.name.startswith("_snapshot-"))
        return base.PoolStats(
            name=name, total_gb=pool.size / base.GIB,
            free_gb=pool.size * (1 - max(data, _metadata_used(metadata)) / 100) / base.GIB,
            provisioned_gb=(provisioned + kept) / base.GIB, thin=True, thick=False, multiattach=True,
            online_extend=True,
            max_over_subscription_ratio=self.options.lvm_max_over_subscription_ratio,
            capabilities={"thin_pool_data_percent": data, "thin_pool_metadata_percent": metadata,
                          "thin_pool_metadata_gb": pool.metadata_size / base.GIB})

    def _warn(self, data, metadata):
        """Log a warning once for each further percent."""
        fullest = int(max(data, metadata))
        if fullest > self._reported:
            LOG.warning("thin pool %s/%s is nearly full: %.1f percent of its data and %.1f of its metadata are used; "
                        "extend it with lvextend, its metadata with --poolmetadatasize", self.group.name, self.pool,
                        data, metadata)
        self._reported = max(fullest, NEARLY_FULL - 1)

    def create(self, volume: base.Volume) -> None:
        self.group.run_unless(parsing.EXISTS, commands.create_thin(
            self.group.name, self.pool, volume.name, volume.size * self.unit), f"create {volume.name}")

    def delete(self, volume: base.Volume) -> None:
        if not self.group.remove(volume.name):
            self.group.remove(REVERTED + volume.name)  # left by an unfinished revert

    def extend(self, volume: base.Volume, size: int) -> None:
        try:
            self.group.run_unless(parsing.SAME_SIZE, commands.extend(self.group.name, volume.name, size),
                                  f"extend {volume.name}")
        except base.DriverError as error:
            if parsing.SMALLER.search(str(error)):
                raise base.DriverError(f"{volume.name} is larger than that already and cannot shrink") from error
            raise

    def create_snapshot(self, snapshot: base.Snapshot) -> None:
        self._share(snapshot.volume.name, snapshot_lv(snapshot), active=False)

    def delete_snapshot(self, snapshot: base.Snapshot) -> None:
        self.group.remove(snapshot_lv(snapshot))

    def clone(self, volume: base.Volume, source: base.Volume, progress: Callable[[int, int], object]) -> None:
        self._copy(source.name, volume, progress)

    def from_snapshot(self, volume: base.Volume, snapshot: base.Snapshot,
                      progress: Callable[[int, int], object]) -> None:
        self._copy(snapshot_lv(snapshot), volume, progress)

    def _copy(self, source, volume, progress):
        size = volume.size * self.unit
        self._share(source, volume.name, active=True)
        progress(0, size)  # an existing volume may be another worker's by now, and extended
        self._fit(volume.name, size)
        progress(size, size)

    def revert(self, volume: base.Volume, snapshot: base.Snapshot) -> None:
        """Replace the volume by a copy of the snapshot; if that is interrupted, `clean_up` completes or undoes it."""
        reverted = REVERTED + volume.name
        rows = {row.name: row for row in self.group.rows()}
        self._finish_revert(reverted, rows)
        size = self.group.size(volume.name)
        self._share(snapshot_lv(snapshot), reverted, active=True)
        try:
            self._fit(reverted, size)
            self.group.remove(volume.name)
        except base.DriverError:
            self.group.remove(reverted)
            raise
        self._replace(reverted, volume.name)

    def _replace(self, reverted, name):
        self.group.run(commands.rename(self.group.name, reverted, name), f"revert {name}")

    def clean_up(self, rows: Iterable[parsing.Row]) -> None:
        """Complete or undo interrupted reverts."""
        by_name = {row.name: row for row in rows}
        for name in by_name:
            if name.startswith(REVERTED):
                self._finish_revert(name, by_name)

    def _finish_revert(self, reverted, rows):
        """Replace a removed volume by its reverted copy, which is complete then; remove the copy of an existing one."""
        name = reverted.removeprefix(REVERTED)
        if reverted in rows and name in rows:
            self.group.remove(reverted)
        elif reverted in rows:
            self._replace(reverted, name)

    def _share(self, source, name, active):
        self.group.run_unless(parsing.EXISTS, commands.thin_snapshot(self.group.name, source, name, active),
                              f"create {name} from {source}")

    def _fit(self, name, size):
        present = self.group.size(name)
        if present < size:
            self.group.run(commands.extend(self.group.name, name, size), f"extend {name}")
        elif present > size:
            self.group.run(commands.reduce(self.group.name, name, size), f"shrink {name}")


def _metadata_used(metadata):
    """How full the pool counts by its metadata, in percent: 0 up to NEARLY_FULL, then rising to 100."""
    return max(0.0, (metadata - NEARLY_FULL) / (100 - NEARLY_FULL) * 100)
