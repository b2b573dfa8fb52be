"""Reads and removes backups that Cinder made in Ceph, as images of a pool. New ones are never written."""

import json
from collections.abc import Callable, Mapping, Sequence

from oslo_config import cfg

from cinder_lite import db
from cinder_lite.backup import manifest
from cinder_lite.backup.cinder import chunked
from cinder_lite.backup.stores import base as stores
from cinder_lite.blockio import copy, device
from cinder_lite.concurrency import native_threads
from cinder_lite.conf import plugins
from cinder_lite.conf.backup import STORES
from cinder_lite.volume.drivers.base import GIB


def facts(service_metadata: str | None, parents: str | None) -> dict:
    """The recorded facts of such a backup: the base image, named in its own service_metadata or its parent's."""
    named = [json.loads(text)["base"] for text in (service_metadata, parents) if text]
    if not all(isinstance(name, str) for name in named):
        raise TypeError("the base of a backup is the name of an image")
    return {"base": named[0] if named else None}


class Images:
    """Reads and removes backups, in the cluster of backup_ceph_conf and the pool named by a backup's container."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self.conf = conf
        self._lock = native_threads.lock()
        self._pools: dict[str, stores.ImagePool] = {}

    def _pool(self, row):
        with self._lock:
            if row.container not in self._pools:
                self._pools[row.container] = plugins.load(STORES, "ceph").image_pool(self.conf, row.container)
            return self._pools[row.container]

    @staticmethod
    def _which(row):
        return {"backup": row.id, "volume": row.volume_id, "base": row.facts.get("base"),
                "copied": row.snapshot_id is not None}

    def record(self, row: db.Row) -> dict:
        """The recorded columns of the volume."""
        return chunked.described(self._pool(row).record(row.id))

    def exists(self, row: db.Row) -> bool:
        return self._pool(row).location(**self._which(row)) is not None

    def delete(self, row: db.Row) -> None:
        if row.container:  # without one nothing was stored
            self._pool(row).delete(**self._which(row))

    def restore(self, chain: Sequence[db.Row], where: Mapping, target_is_zero: bool, start: int,
                progress: Callable[[int, int], object], cancelled: Callable[[], bool], fence: device.Fence) -> None:
        """Write the newest backup of the chain; a former `done` as `start` resumes there."""
        row = chain[0]
        found = self._pool(row).location(**self._which(row))
        if found is None:
            raise stores.ObjectMissing(f"{row.container}/volume-{row.volume_id}.backup.{row.id}")
        with device.target(where, fence) as target:
            if not target_is_zero and not start:
                target.zero(0, target.size())
                target.sync()
        try:
            copy.copy(found, where, row.size * GIB, start, progress=progress, cancelled=cancelled, fence=fence)
        except copy.Cancelled as error:
            raise manifest.Cancelled("the restore was cancelled") from error
