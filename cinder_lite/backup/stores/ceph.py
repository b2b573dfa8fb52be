"""Backups in a Ceph pool: an object is one of RADOS, written in one operation."""

import uuid

from oslo_config import cfg

from cinder_lite.backup.stores import base
from cinder_lite.volume.drivers.base import DriverError
from cinder_lite.volume.drivers.rbd.supervisor import Cluster, Librbd

#: Seconds for a call, and for reaching the cluster.
TIMEOUT = 60


def cluster(options, pool):
    """How a pool is reached with the section's options."""
    return Cluster(conf=options.backup_ceph_conf, cluster="ceph", user=options.backup_ceph_user, pool=pool,
                   timeout=TIMEOUT, connect_timeout=TIMEOUT)


class CephStore(base.Store):
    """Objects in the namespace `cinder-lite` of `backup_ceph_pool`. backup_ceph_conf and backup_ceph_user are the service's."""

    OPTIONS = (
        cfg.StrOpt("backup_ceph_pool", default="backups", help="Ceph pool in which the store `ceph` keeps backups."),
    )
    #: An OSD takes 90 MB in one operation.
    largest = 64 * 1024**2

    def __init__(self, options):
        super().__init__(options)
        self._librbd = Librbd(cluster(options, options.backup_ceph_pool))

    def _call(self, name, /, **arguments):
        try:
            return self._librbd.call(name, **arguments)
        except DriverError as error:
            raise base.StoreError(f"pool {self.options.backup_ceph_pool} (backup_ceph_pool): {error}") from error

    def check(self):
        folder = f"check/{uuid.uuid4().hex}"
        self.put(f"{folder}/1", (b"check",))
        self.delete_folder(folder)

    def container(self, backup_id):
        return self.options.backup_ceph_pool

    def put(self, name, parts):
        data = b"".join(parts)
        self._call("put_object", name=name, data=data)
        return len(data)

    def get(self, name, offset=0, size=None):
        there = self.size(name)
        length = there - offset if size is None else min(size, there - offset)
        if length <= 0:
            return b""
        found = self._call("get_object", name=name, offset=offset, length=length)
        if found is None:
            raise base.ObjectMissing(name)
        return found

    def size(self, name):
        found = self._call("object_size", name=name)
        if found is None:
            raise base.ObjectMissing(name)
        return found

    def delete(self, name):
        self._call("delete_object", name=name)

    def names(self, folder):
        yield from self._call("objects", folder=folder)

    def delete_folder(self, folder):
        super().delete_folder(folder)
        self._call("forget_objects", folder=folder)
