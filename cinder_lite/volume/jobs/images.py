"""Runs the jobs with images: creates volumes from them, overwrites volumes with them, uploads volumes to them."""

import contextlib
import dataclasses
import functools
import logging
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from oslo_config import cfg

from cinder_lite import db, errors, states
from cinder_lite.db import job_queries, volumes
from cinder_lite.jobs import outcomes
from cinder_lite.jobs.work import Work
from cinder_lite.nova import client
from cinder_lite.nova.events import ServerEvents
from cinder_lite.volume import driver_calls, driver_views
from cinder_lite.volume.backends import Backend
from cinder_lite.volume.drivers import base as drivers
from cinder_lite.volume.exports import Exports

if TYPE_CHECKING:
    from cinder_lite.image.glance import Glance
    from cinder_lite.volume.flows.engine import Flow
    from cinder_lite.volume.jobs.image_cache import ImageCache

LOG = logging.getLogger(__name__)
#: The service that these jobs wait for.
GLANCE = "Glance"


class ImageJobs:
    """The image jobs of one backend. Glance's client is imported by the first job that needs it."""

    def __init__(self, database: db.Database, conf: cfg.ConfigOpts, backend: Backend, volume: Any,
                 exports: Exports) -> None:
        self.db, self.conf, self.backend, self.volume, self.exports = database, conf, backend, volume, exports
        self.servers = ServerEvents(database, conf)

    @functools.cached_property
    def glance(self) -> "Glance":
        from cinder_lite.image.glance import Glance

        return Glance(self.conf)

    @functools.cached_property
    def cache(self) -> "ImageCache":
        from cinder_lite.volume.jobs.image_cache import ImageCache

        return ImageCache(self.db, self.conf, self.backend, self.volume)

    # -- from image to volume

    def create(self, flows: Mapping[str, "Flow"], work: Work, row: db.Row, volume: drivers.Volume,
               image_id: str) -> dict | None:
        """Create a volume with the image's content. Returns the driver's facts."""
        with work.waits_for(GLANCE):
            return self._create(flows, work, row, volume, image_id)

    def _create(self, flows, work, row, volume, image_id):
        from cinder_lite.volume.flows import create

        self.cache.wake_waiting(work, row)
        image = self._usable(work.ctx, image_id)
        work.keep(bootable=True, image_metadata=image.metadata(self.conf.glance_core_properties))
        # An existing volume may be an incomplete download, which a driver would take for a complete clone.
        if not self.backend.call(self.backend.driver.exists, volume):
            work.args["copied"] = 0
            facts = self._without_copying(flows, work, row, volume, image)
            if facts is not None:
                return facts
        download = self._download(work, image, is_zero=True)
        return create.run(flows, volume, create.Recipe("image", download.fill), work)

    def _without_copying(self, flows, work, row, volume, image):
        """Clone the image in Glance's store or in the image cache. Returns the facts, None if neither works."""
        from cinder_lite.volume.flows import create

        facts = self._clone_in_store(flows, work, volume, image)
        if facts is not None:
            return facts
        with self.cache.entry(work, row, image) as cached:
            if cached is None:
                return None
            try:
                return create.run(flows, volume, create.Recipe("volume", cached), work) or {}
            except drivers.DriverError as error:
                LOG.warning("%s of the image cache cannot be cloned, the image is downloaded: %s", cached.name, error)
                self.cache.evict_missing(cached)
                return None

    def _clone_in_store(self, flows, work, volume, image):
        """Clone the image in Glance's store. Returns the facts, or None."""
        from cinder_lite.image import download
        from cinder_lite.volume.flows import create

        if not isinstance(self.backend.driver, drivers.ClonesImages) or image.disk_format != "raw":
            return None
        for location in download.at_hand(image, self.conf.allowed_direct_url_schemes):
            facts = create.run(flows, volume, create.Recipe("location", location), work)
            if facts is not None:
                return facts
        return None

    def _usable(self, ctx, image_id):
        """The image. Raises Refused if no volume can be created from it now."""
        from cinder_lite.image import formats, record

        try:
            image = self.glance.show(ctx, image_id)
        except errors.ImageNotFound as error:
            raise outcomes.Refused(f"image {image_id} was deleted before a volume could be created from it") from error
        if image.status != record.ACTIVE:
            raise outcomes.Refused(f"image {image_id} is {image.status}, not {record.ACTIVE}")
        if not image.size:
            raise outcomes.Refused(f"image {image_id} has no data")
        formats.check_declared(image)
        return image

    def _download(self, work, image, is_zero):
        from cinder_lite.volume.jobs.image_download import ImageDownload

        return ImageDownload(self.conf, self.glance, self.backend, work, image, is_zero)

    def reimage(self, work: Work) -> None:
        """Overwrite a volume with an image; an interrupted download is resumed."""
        self.servers.send_when_done(work, client.REIMAGED)
        work.begin()
        with self.db.read() as tx:
            row = outcomes.found(volumes.find(tx, work.job.resource_id))
        with work.waits_for(GLANCE):
            image = self._usable(work.ctx, work.args["image_id"])
            self.exports.reconcile(row.id)
            self._download(work, image, is_zero=False).fill(driver_views.as_volume(row))
        work.keep(bootable=True, image_metadata=image.metadata(self.conf.glance_core_properties))

    # -- from volume to image

    def upload(self, work: Work) -> None:
        """Upload the volume's content to an image that the API has created."""
        from cinder_lite.volume.jobs.image_upload import ImageUpload

        with self.db.read() as tx:
            row = volumes.find(tx, work.job.resource_id)
        upload = ImageUpload(self.conf, self.glance, work)
        try:
            work.begin()
            with work.waits_for(GLANCE):
                self._send(work, row, upload)
        except Exception as error:
            # A worker that took over uploads to the image, or has done so.
            if not isinstance(error, outcomes.Interrupted | errors.Stale) or work.has_failed():
                work.clean_up(f"deleting image {work.args['image_id']}, which has no data", upload.delete_image)
            raise

    def _send(self, work, row, upload):
        if not upload.is_done():
            row = outcomes.found(row)
            with self._content(work, row) as where:
                upload.send(where, row.size * drivers.GIB)

    def delete(self, work: Work) -> None:
        """Delete the image of an upload that failed; repeated until it succeeds."""
        work.begin()
        try:
            with work.waits_for(GLANCE):
                self.glance.delete(work.ctx, work.job.resource_id)
        except errors.Error as error:
            LOG.warning("image %s, which has no data, cannot be deleted yet: %s", work.job.resource_id, error)
            raise outcomes.Interrupted from error

    @contextlib.contextmanager
    def _content(self, work, row):
        """The location of the volume's bytes, of a temporary snapshot if the volume is in use."""
        volume = driver_views.as_volume(row)
        if row.attach_status == states.DETACHED:
            yield self.backend.content(volume)
            return
        frozen = drivers.Snapshot(id=work.job.id, size=row.size, volume=volume)
        facts = driver_calls.fenced(work, self.backend.driver.create_snapshot, frozen)
        frozen = dataclasses.replace(frozen, facts=facts or {})
        try:
            yield self.backend.snapshot_content(frozen)
        finally:
            work.clean_up(f"removing {frozen.name}, from which an image was uploaded",
                          lambda: self.backend.call(self.backend.driver.delete_snapshot, frozen))

    # -- after a crash

    def clean_up(self) -> None:
        """Remove the files of conversions that no job will resume."""
        try:
            names = os.listdir(self.conf.image_conversion_dir)
        except FileNotFoundError:
            return
        with self.db.read() as tx:
            left = [name for name in names if (job := job_queries.get(tx, name.partition(".")[0])) is None
                    or job.status not in states.LIVE_JOB]
        for name in left:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(self.conf.image_conversion_dir, name))
