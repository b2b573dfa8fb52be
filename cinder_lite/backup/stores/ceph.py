"""The backup store in a Ceph pool: each object is a RADOS object, written in one operation."""

import typing
from collections.abc import Iterable, Iterator

from oslo_config import cfg

from cinder_lite.backup.stores import base
from cinder_lite.concurrency import randomness
from cinder_lite.volume.drivers.base import DriverError
from cinder_lite.volume.drivers.rbd import content
from cinder_lite.volume.drivers.rbd.supervisor import Cluster, Librbd

#: Timeout in seconds for calls, and for connecting to the cluster.
TIMEOUT = 60


def cluster(options: cfg.ConfigOpts, pool: str) -> Cluster:
    """The connection settings for a pool."""
    return Cluster(conf=options.backup_ceph_conf, cluster="ceph", user=options.backup_ceph_user, pool=pool,
                   timeout=TIMEOUT, connect_timeout=TIMEOUT)


class ImagePool:
    """The backups that Cinder keeps as images in a pool: a base.ImagePool."""

    def __init__(self, options: cfg.ConfigOpts, pool: str) -> None:
        self._cluster = cluster(options, pool)
        self._librbd = Librbd(self._cluster)

    def _call(self, name, backup, **arguments):
        try:
            return self._librbd.call(name, backup=backup, **arguments)
        except DriverError as error:
            raise base.StoreError(f"backup {backup} of Cinder: {error}") from error

    def record(self, backup: str) -> str | None:
        return self._call("backup_record", backup)

    def location(self, backup: str, **which: typing.Any) -> dict | None:
        found = self._call("backup_image", backup, **which)
        return found and content.data(self._cluster, *found)

    def delete(self, backup: str, **which: typing.Any) -> None:
        self._call("delete_backup", backup, **which)


class CephStore(base.Store):
    """Objects in the namespace `cinder-lite` of backup_ceph_pool; the service defines the other backup_ceph options."""

    OPTIONS = (
        cfg.StrOpt("backup_ceph_pool", default="backups", help="Ceph pool for backups of the store `ceph`."),
    )
    #: OSDs accept up to 90 MB in one operation.
    largest = 64 * 1024**2
    #: Opens a pool with backups of Cinder's driver for Ceph: image_pool(options, pool).
    image_pool = ImagePool

    def __init__(self, options: cfg.ConfigOpts) -> None:
        super().__init__(options)
        self._librbd = Librbd(cluster(options, options.backup_ceph_pool))

    def _call(self, name, /, **arguments):
        try:
            return self._librbd.call(name, **arguments)
        except DriverError as error:
            raise base.StoreError(f"pool {self.options.backup_ceph_pool} (backup_ceph_pool): {error}") from error

    def check(self) -> None:
        folder = f"check/{randomness.token_hex(16)}"
        self.put(f"{folder}/1", (b"check",))
        self.delete_folder(folder)

    def container(self, backup_id: str) -> str:
        return self.options.backup_ceph_pool

    def put(self, name: str, parts: Iterable[bytes]) -> int:
        data = b"".join(parts)
        self._call("put_object", name=name, data=data)
        return len(data)

    def add(self, name: str, parts: Iterable[bytes]) -> bool:
        return self._call("add_object", name=name, data=b"".join(parts))

    def get(self, name: str, offset: int = 0, size: int | None = None) -> bytes:
        there = self.size(name)
        length = there - offset if size is None else min(size, there - offset)
        if length <= 0:
            return b""
        found = self._call("get_object", name=name, offset=offset, length=length)
        if found is None:
            raise base.ObjectMissing(name)
        return found

    def size(self, name: str) -> int:
        found = self._call("object_size", name=name)
        if found is None:
            raise base.ObjectMissing(name)
        return found

    def delete(self, name: str) -> None:
        self._call("delete_object", name=name)

    def names(self, folder: str) -> Iterator[str]:
        yield from self._call("objects", folder=folder)

    def delete_folder(self, folder: str) -> None:
        super().delete_folder(folder)
        self._call("forget_objects", folder=folder)
