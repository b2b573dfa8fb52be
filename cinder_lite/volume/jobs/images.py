"""The work of images: volumes made of them, volumes overwritten with them, and images made of volumes."""

import contextlib
import dataclasses
import functools
import logging
import os
import threading

from cinder_lite import errors, states
from cinder_lite.db import jobs, volumes
from cinder_lite.jobs import worker
from cinder_lite.nova import client
from cinder_lite.nova.events import ServerEvents
from cinder_lite.volume.drivers import base as drivers

LOG = logging.getLogger(__name__)


class ImageJobs:
    """What a backend does with images. Glance's client is imported by the first that needs it."""

    def __init__(self, database, conf, backend, volume, exports):
        self.db, self.conf, self.backend, self.volume, self.exports = database, conf, backend, volume, exports
        self.servers = ServerEvents(database, conf)
        self._lock = threading.Lock()

    @functools.cached_property
    def glance(self):
        from cinder_lite.image.glance import Glance

        return Glance(self.conf)

    @functools.cached_property
    def cache(self):
        from cinder_lite.volume.jobs.image_cache import ImageCache

        return ImageCache(self.db, self.conf, self.backend, self.volume)

    # -- volumes of images

    def make(self, flows, work, row, volume, image_id):
        """Make a volume with the image's content. Returns the driver's facts."""
        from cinder_lite.volume.flows import create

        self.cache.follow(work, row)
        image = self._usable(work.ctx, image_id)
        work.keep(bootable=True, image_metadata=image.metadata(self.conf.glance_core_properties))
        # What is there already may be half of a download, which a driver would take for a finished clone.
        if not self.backend.call(self.backend.driver.exists, volume):
            work.args["copied"] = 0
            facts = self._without_copying(flows, work, row, volume, image)
            if facts is not None:
                return facts
        filling = self._filling(work, image, fresh=True)
        return create.run(flows, volume, create.Recipe("image", filling.fill), work.progress)

    def _without_copying(self, flows, work, row, volume, image):
        """The facts of a volume that shares the image's bytes with Glance's store or with the image cache, or None."""
        from cinder_lite.volume.flows import create

        facts = self._where_it_lies(flows, work, volume, image)
        if facts is not None:
            return facts
        with self.cache.entry(work, row, image) as cached:
            if cached is None:
                return None
            try:
                return create.run(flows, volume, create.Recipe("volume", cached), work.progress) or {}
            except drivers.DriverError as error:
                LOG.warning("%s of the image cache could not be cloned, the image is downloaded: %s", cached.name, error)
                self.cache.forget_lost(cached)
                return None

    def _where_it_lies(self, flows, work, volume, image):
        """The same, of Glance's store alone."""
        from cinder_lite.image import download
        from cinder_lite.volume.flows import create

        if not isinstance(self.backend.driver, drivers.ClonesImages) or image.disk_format != "raw":
            return None
        for location in download.at_hand(image, self.conf.allowed_direct_url_schemes):
            facts = create.run(flows, volume, create.Recipe("location", location), work.progress)
            if facts is not None:
                return facts
        return None

    def _usable(self, ctx, image_id):
        """The image. Raises worker.Refused when no volume can be made of it now."""
        from cinder_lite.image import formats, record

        try:
            image = self.glance.show(ctx, image_id)
        except errors.ImageNotFound as error:
            raise worker.Refused(f"image {image_id} was deleted before a volume could be made of it") from error
        if image.status != record.ACTIVE:
            raise worker.Refused(f"image {image_id} is {image.status}, not {record.ACTIVE}")
        if not image.size:
            raise worker.Refused(f"image {image_id} has no data")
        formats.check_declared(image)
        return image

    def _filling(self, work, image, fresh):
        from cinder_lite.volume.jobs.image_download import Filling

        return Filling(self.conf, self.glance, self.backend, work, image, fresh)

    def reimage(self, work):
        """Write an image over a volume, on from where that was cut off."""
        self.servers.send_when_done(work, client.REIMAGED)
        work.begin()
        with self.db.read() as tx:
            row = worker.found(volumes.find(tx, work.job.resource_id))
        image = self._usable(work.ctx, work.args["image_id"])
        self.exports.reconcile(row.id)
        self._filling(work, image, fresh=False).fill(drivers.as_volume(row))
        work.keep(bootable=True, image_metadata=image.metadata(self.conf.glance_core_properties))

    # -- images of volumes

    def upload(self, work):
        """Give an image, which the API has made, the volume's content."""
        from cinder_lite.volume.jobs.image_upload import Uploading

        with self.db.read() as tx:
            row = volumes.find(tx, work.job.resource_id)
        uploading = Uploading(self.conf, self.glance, work)
        try:
            work.begin()
            if not uploading.is_done():
                with self._content(work, worker.found(row)) as where:
                    uploading.send(where, row.size * drivers.GIB)
        except worker.Interrupted:
            if work.superseded:
                uploading.withdraw()
            raise
        except Exception:
            with worker.quiet(f"deleting image {work.args['image_id']}, which has no content"):
                uploading.withdraw()
            raise

    @contextlib.contextmanager
    def _content(self, work, row):
        """Where the volume's bytes are; of one in use, as they are at this moment."""
        volume = drivers.as_volume(row)
        if row.attach_status == states.DETACHED:
            yield self.backend.content(volume)
            return
        frozen = drivers.Snapshot(id=work.job.id, size=row.size, volume=volume)
        facts = self.backend.call(self.backend.driver.create_snapshot, frozen)
        frozen = dataclasses.replace(frozen, facts=facts or {})
        try:
            yield self.backend.snapshot_content(frozen)
        finally:
            with worker.quiet(f"removing {frozen.name}, of which an image was made"):
                self.backend.call(self.backend.driver.delete_snapshot, frozen)

    # -- after a crash

    def clean_up(self):
        """Remove the files of conversions that nobody is going to go on with."""
        try:
            names = os.listdir(self.conf.image_conversion_dir)
        except FileNotFoundError:
            return
        with self.db.read() as tx:
            left = [name for name in names if (job := jobs.get(tx, name.partition(".")[0])) is None
                    or job.status not in states.LIVE_JOB]
        for name in left:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(self.conf.image_conversion_dir, name))
