"""Caches images as volumes in the service's own project, and clones new volumes from them.

The first volume that is created from an image starts a job that creates the cached volume, and waits for it, as do
others requested meanwhile: an image is downloaded once. A waiting job is handed back: it occupies no worker and is
resumed after a crash. A volume of an image that cannot be cached is created from the image itself.
"""

import collections
import contextlib
import logging
from collections.abc import Iterator
from typing import Any

from oslo_config import cfg

from cinder_lite import context, db, errors, states
from cinder_lite.concurrency import locks, randomness
from cinder_lite.db import guards, quotas, volumes
from cinder_lite.image.record import Image
from cinder_lite.jobs import holds, outcomes
from cinder_lite.jobs.lifecycle import VOLUME
from cinder_lite.jobs.work import Work
from cinder_lite.volume import driver_views
from cinder_lite.volume.backends import Backend
from cinder_lite.volume.drivers import base as drivers

LOG = logging.getLogger(__name__)


class ImageCache:
    """The cached volumes of one backend. Only the backend's own process creates and evicts them."""

    def __init__(self, database: db.Database, conf: cfg.ConfigOpts, backend: Backend, volume: Any) -> None:
        self.db, self.conf, self.backend, self.volume = database, conf, backend, volume
        self.project, self.user = conf.cinder_internal_tenant_project_id, conf.cinder_internal_tenant_user_id
        self.enabled = backend.options.image_volume_cache_enabled
        if self.enabled and not (self.project and self.user):
            LOG.warning("%s has image_volume_cache_enabled, but no image cache: cinder_internal_tenant_project_id and "
                        "cinder_internal_tenant_user_id are not both set", backend.name)
            self.enabled = False
        #: Cached volume id -> number of clones that are being created from it.
        self._cloned: collections.Counter[str] = collections.Counter()
        self._lock = locks.lock()
        #: Cached volume id -> ids of the jobs that wait for it.
        self._waiting: dict[str, set[str]] = collections.defaultdict(set)

    def wake_waiting(self, work: Work, row: db.Row) -> None:
        """If `row` is a cached volume, resume the jobs that wait for it once it is created.

        If its creation fails, the sweep finds them.
        """
        if not self.enabled or row.project_id != self.project:
            return

        def wake():
            for job_id in self._waiting.pop(row.id, ()):
                self.volume.on(self.backend.name).run_job(work.ctx, job_id=job_id)

        work.afterwards(wake)

    @contextlib.contextmanager
    def entry(self, work: Work, row: db.Row, image: Image) -> Iterator[drivers.Volume | None]:
        """The cached volume to clone instead of downloading the image, not evicted while the context is open; or None.

        Raises Interrupted while it is being created.
        """
        if not self.enabled or row.project_id == self.project or row.encryption_key_id is not None:
            yield None
            return
        with self._lock:
            found = self._find(row, image)
            if found is not None and found.status == states.AVAILABLE and found.size <= row.size:
                self._touch(found)
                self._cloned[found.id] += 1
            elif found is not None and found.status == states.CREATING:
                self._wait(work, found.id)
            elif found is None and not work.args.get("waited") and (created := self._create(work, row, image)):
                self._wait(work, created)
            else:
                found = None
        try:
            yield driver_views.as_volume(found) if found is not None else None
        finally:
            if found is not None:
                with self._lock:
                    self._cloned[found.id] -= 1

    def _find(self, row, image):
        with self.db.read() as tx:
            rows = volumes.of_image(tx, self.project, row.host, image.id)
        return rows[0] if rows else None

    def evict_missing(self, cached: drivers.Volume) -> None:
        """Evict a cached volume that is missing on the backend."""
        if not self.backend.call(self.backend.driver.exists, cached):
            with self.db.read() as tx:
                row = volumes.find(tx, cached.id)
            if row is not None:
                self._evict(row)

    @db.retried
    def _touch(self, found):
        """Record the use: the least recently used volume is evicted first."""
        with self.db.write() as tx:
            VOLUME.write(tx, found.id)

    def _wait(self, work, id):
        work.args["waited"] = True
        self._waiting[id].add(work.job.id)
        raise outcomes.Interrupted

    def _requester(self):
        return context.Context(user_id=self.user, project_id=self.project, is_admin=True, overwrite=False)

    # -- creation and eviction

    def _create(self, work, row, image):
        """Start to create the cached volume; returns its id, or None if the cache has no capacity for it."""
        if image.disk_format not in ("raw", "iso") and not image.virtual_size:
            return None  # the size of its content is unknown
        if not self._make_capacity(row, image.gigabytes):
            return None
        job = self._insert(row, image)
        if job is None:
            return None
        self.volume.on(self.backend.name).run_job(work.ctx, job_id=job[1])
        return job[0]

    def _make_capacity(self, row, size):
        """Evict the least recently used volumes until `size` GiB more fit. Returns whether they do."""
        options = self.backend.options
        most, most_gb = options.image_volume_cache_max_count, options.image_volume_cache_max_size_gb
        if most_gb and size > most_gb:
            return False
        with self.db.read() as tx:
            cached = volumes.of_image(tx, self.project, row.host)
        kept = [one for one in cached if one.status != states.DELETING]
        evictable = [one for one in kept if one.status == states.AVAILABLE and not self._cloned[one.id]]
        while (most and len(kept) >= most) or (most_gb and sum(one.size for one in kept) + size > most_gb):
            if not evictable:
                return False
            oldest = evictable.pop(0)
            if not self._evict(oldest):
                return False
            kept.remove(oldest)
        return True

    @db.retried
    def _evict(self, row):
        try:
            with self.db.write() as tx:
                job_id = holds.begin(tx, self.conf, self._requester(), "volume", row.id, "delete",
                                     (*guards.DELETABLE, guards.NO_SNAPSHOTS), job={"host": self.backend.name})
        except errors.InvalidState as error:
            LOG.warning("volume %s cannot be evicted from the image cache: %s", row.id, error)
            return False
        LOG.info("evicting volume %s of image %s from the image cache", row.id, row.image_metadata.get("image_id"))
        self.volume.on(self.backend.name).run_job(self._requester(), job_id=job_id)
        return True

    @db.retried
    def _insert(self, row, image):
        """(volume id, job id) of the new cached volume, or None if its pool has no capacity."""
        values = {
            "id": randomness.new_id(), "project_id": self.project, "user_id": self.user, "name": f"image-{image.id}",
            "size": image.gigabytes, "volume_type_id": row.volume_type_id, "host": row.host,
            "availability_zone": row.availability_zone, "consumes_quota": False, "metadata": {}, "admin_metadata": {},
            "image_metadata": {"image_id": image.id}, "facts": {}, "export": {}}
        with contextlib.suppress(errors.NoCapacity), self.db.write() as tx:
            # The service's own project has no limits.
            job_id = holds.insert(tx, self.conf, self._requester(), "volume", "create", values,
                                  allowance=quotas.Allowance({}, {}), stage="volume", host=self.backend.name,
                                  args={"image_id": image.id})
            return values["id"], job_id
        return None
