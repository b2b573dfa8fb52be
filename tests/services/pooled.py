"""The null driver with pools of limited capacity; it records each call in a file."""

import os

from oslo_config import cfg

from cinder_lite.volume.drivers import base
from cinder_lite.volume.drivers.null import NullDriver


class PooledDriver(NullDriver):
    """Thick pools of the same size. What is recorded is shared by them, as the driver does not know a volume's pool."""

    OPTIONS = (
        cfg.ListOpt("pooled_names", default=["p0"], help="Names of the pools."),
        cfg.IntOpt("pooled_gb", default=1000, help="GiB of each pool."),
        cfg.StrOpt("pooled_record", help="File with a line for each call: what is called, the volume's name, its GiB."),
    )

    def pools(self):
        names, provisioned = self.options.pooled_names, 0
        for call, _, size in recorded(self.options.pooled_record):
            provisioned += size if call == "create" else -size
        share = provisioned / len(names)
        return tuple(base.PoolStats(name=name, total_gb=self.options.pooled_gb, free_gb=self.options.pooled_gb - share,
                                    provisioned_gb=share) for name in names)

    def create(self, volume):
        self._record("create", volume)
        return {}

    def delete(self, volume):
        self._record("delete", volume)

    def _record(self, call, volume):
        record = os.open(self.options.pooled_record, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(record, f"{call} {volume.name} {volume.size}\n".encode())
        finally:
            os.close(record)


def recorded(path):
    """The calls in a record: [(what was called, the volume's name, its GiB)]."""
    try:
        with open(path) as lines:
            return [(call, name, int(size)) for call, name, size in map(str.split, lines)]
    except FileNotFoundError:
        return []
