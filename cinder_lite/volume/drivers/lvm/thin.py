"""Volumes in a thin pool: snapshots and clones share blocks, take no time and depend on nothing."""

import logging

from cinder_lite.volume.drivers import base
from cinder_lite.volume.drivers.lvm import commands, parsing
from cinder_lite.volume.drivers.lvm.names import REVERTED, snapshot_lv

LOG = logging.getLogger(__name__)

#: Percent of a pool's data or metadata from which on it is reported as nearly full.
NEARLY_FULL = 80


class Thin:
    """What the driver does where volumes are thin."""

    def __init__(self, group, options, unit):
        """`unit` is how many bytes one of a volume's `size` is."""
        self.group, self.options, self.unit = group, options, unit
        self.pool = f"{group.name}-pool"
        self._told = NEARLY_FULL - 1

    def check(self, report):
        """Make the pool where it is missing; raise BackendDown when it cannot work."""
        pool = report.row(self.pool)
        if pool is None:
            self.group.run_unless(parsing.EXISTS, commands.create_pool(self.group.name, self.pool),
                                  f"make the thin pool {self.pool}")
        elif not pool.is_pool:
            raise base.BackendDown(f"{self.pool} in volume group {self.group.name} is not a thin pool; rename it, or "
                                   "set lvm_type = default")
        elif pool.health in ("failed", "metadata_read_only"):
            full = (pool.metadata_percent or 0) > 99
            remedy = "lvextend --poolmetadatasize +SIZE" if full else "lvconvert --repair"
            raise base.BackendDown(f"thin pool {self.group.name}/{self.pool} has the state {pool.health}"
                                   f"{', because its metadata are full' if full else ''}; mend it with {remedy} "
                                   f"{self.group.name}/{self.pool}")

    def pool_stats(self, name, report):
        """The PoolStats; says in the log that a pool runs full before it does."""
        pool = report.row(self.pool)
        if pool is None:
            raise base.BackendDown(f"there is no thin pool {self.group.name}/{self.pool}")
        data, metadata = pool.data_percent or 0, pool.metadata_percent or 0
        self._warn(data, metadata)
        held = [row for row in report.rows if row.pool == self.pool]
        promised = sum(row.size for row in held if not row.name.startswith("_snapshot-"))
        kept = sum(row.size * (row.data_percent or 0) / 100 for row in held if row.name.startswith("_snapshot-"))
        return base.PoolStats(
            name=name, total_gb=pool.size / base.GIB, free_gb=pool.size * (1 - max(data, _spent(metadata)) / 100) / base.GIB,
            provisioned_gb=(promised + kept) / base.GIB, thin=True, thick=False, multiattach=True, online_extend=True,
            max_over_subscription_ratio=self.options.lvm_max_over_subscription_ratio,
            capabilities={"thin_pool_data_percent": data, "thin_pool_metadata_percent": metadata,
                          "thin_pool_metadata_gb": pool.metadata_size / base.GIB})

    def _warn(self, data, metadata):
        """Once for each further percent."""
        fullest = int(max(data, metadata))
        if fullest > self._told:
            LOG.warning("thin pool %s/%s runs full: %.1f percent of its data and %.1f of its metadata are used; extend "
                        "it with lvextend, of the metadata with --poolmetadatasize", self.group.name, self.pool, data,
                        metadata)
        self._told = max(fullest, NEARLY_FULL - 1)

    def create(self, volume):
        self.group.run_unless(parsing.EXISTS, commands.create_thin(
            self.group.name, self.pool, volume.name, volume.size * self.unit), f"create {volume.name}")

    def delete(self, volume):
        if not self.group.remove(volume.name):
            self.group.remove(REVERTED + volume.name)  # by a revert that could not be finished

    def extend(self, volume, size):
        try:
            self.group.run_unless(parsing.SAME_SIZE, commands.extend(self.group.name, volume.name, size),
                                  f"extend {volume.name}")
        except base.DriverError as error:
            if parsing.SMALLER.search(str(error)):
                raise base.DriverError(f"{volume.name} is larger than that already and cannot shrink") from error
            raise

    def create_snapshot(self, snapshot):
        self._share(snapshot.volume.name, snapshot_lv(snapshot), active=False)

    def delete_snapshot(self, snapshot):
        self.group.remove(snapshot_lv(snapshot))

    def clone(self, volume, source, progress):
        self._copy(source.name, volume, progress)

    def from_snapshot(self, volume, snapshot, progress):
        self._copy(snapshot_lv(snapshot), volume, progress)

    def _copy(self, source, volume, progress):
        size = volume.size * self.unit
        self._share(source, volume.name, active=True)
        self._fit(volume.name, size)
        progress(size, size)

    def revert(self, volume, snapshot):
        """Put a copy of the snapshot in the volume's place; where that is cut off, `tidy` finishes or undoes it."""
        reverted = REVERTED + volume.name
        rows = {row.name: row for row in self.group.rows()}
        self._tidy_revert(reverted, rows)
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

    def tidy(self, rows):
        """Finish or undo what was cut off."""
        by_name = {row.name: row for row in rows}
        for name in by_name:
            if name.startswith(REVERTED):
                self._tidy_revert(name, by_name)

    def _tidy_revert(self, reverted, rows):
        """A volume that has gone is replaced by its reverted copy, which was whole then; beside it, a copy is undone."""
        name = reverted.removeprefix(REVERTED)
        if reverted in rows and name in rows:
            self.group.remove(reverted)
        elif reverted in rows:
            self._replace(reverted, name)

    def _share(self, source, name, active):
        self.group.run_unless(parsing.EXISTS, commands.thin_snapshot(self.group.name, source, name, active),
                              f"make {name} of {source}")

    def _fit(self, name, size):
        present = self.group.size(name)
        if present < size:
            self.group.run(commands.extend(self.group.name, name, size), f"extend {name}")
        elif present > size:
            self.group.run(commands.reduce(self.group.name, name, size), f"cut {name}")


def _spent(metadata):
    """How full a pool is for its metadata: not at all while there is plenty, entirely when there is none left."""
    return max(0.0, (metadata - NEARLY_FULL) / (100 - NEARLY_FULL) * 100)
