"""The image cache of a backend: a volume of each image, in the service's own project, of which further ones are cloned.

The first volume that is made of an image has the cached one made, by a job of its own, and waits for it; so do others
that are asked for meanwhile, so that an image is downloaded once however many volumes are made of it. Waiting is handing
the job back: it holds no worker, and goes on after a crash. What could not be cached is made of the image itself.
"""

import collections
import contextlib
import logging
import threading
import uuid

from cinder_lite import context, db, errors, states
from cinder_lite.db import guards, quotas, volumes
from cinder_lite.jobs import holds, worker
from cinder_lite.jobs.lifecycle import VOLUME
from cinder_lite.volume.drivers import base as drivers

LOG = logging.getLogger(__name__)


class ImageCache:
    """A backend's volumes of images. Only the backend's one process makes and removes them of its own accord."""

    def __init__(self, database, conf, backend, volume):
        self.db, self.conf, self.backend, self.volume = database, conf, backend, volume
        self.project, self.user = conf.cinder_internal_tenant_project_id, conf.cinder_internal_tenant_user_id
        self.enabled = backend.options.image_volume_cache_enabled
        if self.enabled and not (self.project and self.user):
            LOG.warning("%s has image_volume_cache_enabled, but no image cache: cinder_internal_tenant_project_id and "
                        "cinder_internal_tenant_user_id are not both set", backend.name)
            self.enabled = False
        self._cloned, self._lock = collections.Counter(), threading.Lock()
        self._waiting = collections.defaultdict(set)

    def follow(self, work, row):
        """When the volume that is made is the cache's own, tell those that wait for it of its end.

        They go on at once when it is there; the sweep finds them when it failed.
        """
        if not self.enabled or row.project_id != self.project:
            return

        def wake():
            for job_id in self._waiting.pop(row.id, ()):
                self.volume.on(self.backend.name).run_job(work.ctx, job_id=job_id)

        work.afterwards(wake)

    @contextlib.contextmanager
    def entry(self, work, row, image):
        """The drivers.Volume to clone instead of downloading the image, which stays while the context is open; or None.

        Raises worker.Interrupted while it is being made.
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
            elif found is None and not work.args.get("waited") and (made := self._make(work, row, image)):
                self._wait(work, made)
            else:
                found = None
        try:
            yield drivers.as_volume(found) if found is not None else None
        finally:
            if found is not None:
                with self._lock:
                    self._cloned[found.id] -= 1

    def _find(self, row, image):
        with self.db.read() as tx:
            rows = volumes.of_image(tx, self.project, row.host, image.id)
        return rows[0] if rows else None

    def forget_lost(self, cached):
        """Take an entry that is not on the backend any more out of the cache."""
        if not self.backend.call(self.backend.driver.exists, cached):
            with self.db.read() as tx:
                row = volumes.find(tx, cached.id)
            if row is not None:
                self._evict(row)

    @db.retried
    def _touch(self, found):
        """What was used last is evicted last."""
        with self.db.write() as tx:
            VOLUME.write(tx, found.id)

    def _wait(self, work, id):
        work.args["waited"] = True
        self._waiting[id].add(work.job.id)
        raise worker.Interrupted

    def _asker(self):
        return context.Context(user_id=self.user, project_id=self.project, is_admin=True, overwrite=False)

    # -- making room, and the volume

    def _make(self, work, row, image):
        """Begin to make the cached volume; returns its id, or None when the cache has no place for it."""
        if image.disk_format not in ("raw", "iso") and not image.virtual_size:
            return None  # nobody knows how large it has to be
        if not self._make_place(row, image.gigabytes):
            return None
        job = self._insert(row, image)
        if job is None:
            return None
        self.volume.on(self.backend.name).run_job(work.ctx, job_id=job[1])
        return job[0]

    def _make_place(self, row, size):
        """Evict what was used longest ago until one more fits. False when it cannot."""
        most, most_gb = self.backend.options.image_volume_cache_max_count, self.backend.options.image_volume_cache_max_size_gb
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
                job_id = VOLUME.begin(tx, self._asker(), row.id, "delete", (*guards.DELETABLE, guards.NO_SNAPSHOTS),
                                      job={"host": self.backend.name})
        except errors.InvalidState as error:
            LOG.warning("volume %s stays in the image cache: %s", row.id, error)
            return False
        LOG.info("volume %s of image %s leaves the image cache", row.id, row.image_metadata.get("image_id"))
        self.volume.on(self.backend.name).run_job(self._asker(), job_id=job_id)
        return True

    @db.retried
    def _insert(self, row, image):
        """(volume id, job id) of the volume to be cached, or None when its pool has no room."""
        values = {
            "id": str(uuid.uuid4()), "project_id": self.project, "user_id": self.user, "name": f"image-{image.id}",
            "size": image.gigabytes, "volume_type_id": row.volume_type_id, "host": row.host,
            "availability_zone": row.availability_zone, "consumes_quota": False, "metadata": {}, "admin_metadata": {},
            "image_metadata": {"image_id": image.id}, "facts": {}, "export": {}}
        with contextlib.suppress(errors.NoCapacity), self.db.write() as tx:
            job_id = VOLUME.insert(tx, self._asker(), "create", values, stage="volume", host=self.backend.name,
                                   args={"image_id": image.id})
            # The service's own project has no limits.
            holds.count(tx, self.conf, "volume", [values], quotas.Allowance({}, {}))
            return values["id"], job_id
        return None
