"""Finds images to create volumes from, uploads volumes to images, and overwrites volumes with images."""

import contextlib
import functools
from typing import TYPE_CHECKING, Any

from oslo_config import cfg
from oslo_utils import uuidutils

from cinder_lite import context, db, errors, states
from cinder_lite.db import attachments, guards, types, volumes
from cinder_lite.db.host_strings import service_of
from cinder_lite.image.record import ACTIVE, Image
from cinder_lite.jobs import holds
from cinder_lite.jobs.accepting import Accepted, accepts
from cinder_lite.jobs.lifecycle import VOLUME
from cinder_lite.volume.verbs.attachments import mirror

if TYPE_CHECKING:
    from cinder_lite.image.glance import Glance


class Images:
    """The operations with images. Glance's client is imported by the first one that needs it."""

    def __init__(self, database: db.Database, conf: cfg.ConfigOpts, volume: Any) -> None:
        self.db, self.conf, self.volume = database, conf, volume

    @functools.cached_property
    def glance(self) -> "Glance":
        from cinder_lite.image.glance import Glance

        return Glance(self.conf, limit=self.conf.rpc_max_waiting)

    # -- finding an image

    def find(self, ctx: context.Context, reference: str, snapshots_too: bool) -> Image:
        """The image with that id, URL or name. Raises InvalidInput with the reason if no volume can be created from it.

        With `snapshots_too` the image may represent a volume snapshot (see Image.snapshot_id).
        """
        try:
            id = reference.rpartition("/")[2]
            image = self.glance.show(ctx, id.lower()) if uuidutils.is_uuid_like(id) else self._named(ctx, reference)
        except errors.ImageNotFound as error:
            raise errors.InvalidInput(reason=f"{error} List the images with 'openstack image list'.") from error
        # An image that represents a snapshot has no data.
        return image if snapshots_too and image.status == ACTIVE and image.snapshot_id else self._checked(image)

    def _named(self, ctx, name):
        found = self.glance.find_by_name(ctx, name)
        if not found:
            raise errors.ImageNotFound(id=name)
        if len(found) > 1:
            raise errors.Conflict(f"{len(found)} images are named {name}; give the id of one: "
                                  f"{', '.join(image.id for image in found[:5])}.")
        return found[0]

    def _checked(self, image):
        from cinder_lite.image import formats

        if image.status != ACTIVE:
            raise errors.InvalidInput(reason=f"Image {image.id} is not active: it is {image.status}.")
        if not image.size:
            raise errors.InvalidInput(reason=f"Image {image.id} has no data.")
        try:
            formats.check_declared(image)
        except formats.ImageRefused as error:
            raise errors.InvalidInput(reason=f"{error}.") from error
        return image

    # -- uploading a volume

    def upload(self, ctx: context.Context, id: str, force: bool, disk_format: str, container_format: str,
               **described: Any) -> tuple[db.Row, db.Row | None, Image]:
        """Create an image from the volume; from one in use with `force`, if the configuration allows it.

        Returns (the volume's row, its type's row, the image).
        """
        from cinder_lite.image import formats

        if disk_format not in formats.UNCONVERTED and disk_format not in formats.CONVERTED:
            known = ", ".join((*formats.UNCONVERTED, *formats.CONVERTED))
            raise errors.InvalidInput(reason=f"Images of volumes can have the disk formats {known}, not {disk_format}.")
        action = "upload_in_use" if force and self.conf.enable_force_upload else "upload"
        row = self._check_uploadable(ctx, id, action)
        try:
            image = self.glance.create(ctx, disk_format=disk_format, container_format=container_format, **described,
                                       **self._properties(row))
        except errors.Error as error:
            raise errors.BadRequest(str(error), public=error.public) from error
        try:
            job_id = self._begin_upload(ctx, id, action, image)
        except BaseException:
            with contextlib.suppress(errors.Error):
                self.glance.delete(ctx, image.id)
            raise
        self.volume.on(service_of(row.host)).run_job(ctx, job_id=job_id)
        with self.db.read() as tx:
            return volumes.get(tx, ctx, id), types.find(tx, row.volume_type_id), image

    @db.retried
    def _check_uploadable(self, ctx, id, action):
        with self.db.write() as tx:
            row = volumes.get(tx, ctx, id)
            VOLUME.hold(tx, id, VOLUME.actions[action].begins, _UPLOADABLE)
            return row

    @db.retried
    def _begin_upload(self, ctx, id, action, image):
        with self.db.write() as tx:
            host = service_of(volumes.get(tx, ctx, id).host)
            return holds.begin(tx, self.conf, ctx, "volume", id, action, _UPLOADABLE, job={
                "host": host, "args": {"image_id": image.id, "disk_format": image.disk_format}})

    def _properties(self, row):
        """The properties of the volume's source image that the new image inherits."""
        from cinder_lite.image import record

        described = {*self.conf.glance_core_properties, *record.BASE, *record.REFUSED, "image_id", "image_name"}
        reserved = (*record.NOT_COPIED, *filter(None, self.conf.reserved_image_namespaces))
        return {key: value for key, value in row.image_metadata.items()
                if key not in described and not key.startswith(reserved)}

    # -- overwriting a volume

    def reimage(self, ctx: context.Context, id: str, image_id: str, reserved_too: bool) -> None:
        """Overwrite the volume with the image; a volume that is reserved for a server only with `reserved_too`."""
        with self.db.read() as tx:
            volumes.get(tx, ctx, id)
        self._reimage(ctx, id, self._checked(self.glance.show(ctx, image_id)), reserved_too)

    @accepts
    def _reimage(self, ctx, id, image, reserved_too):
        with self.db.write() as tx:
            VOLUME.lock(tx, id)
            row = volumes.get(tx, ctx, id)
            present = attachments.of_volume(tx, id)
            if len(present) > 1:
                raise errors.Conflict(f"Volume {id} has more than one attachment.")
            needed = max(image.gigabytes, image.min_disk)
            if needed > row.size:
                raise errors.InvalidInput(
                    reason=f"Image {image.id} needs a volume of {needed} GiB, but volume {id} has {row.size}.")
            if row.encryption_key_id is not None:
                raise errors.InvalidInput(reason=f"Volume {id} is encrypted and cannot be overwritten with an image.")
            action = "reimage_reserved" if reserved_too and row.status == states.RESERVED else "reimage"
            host = service_of(row.host)
            job_id = holds.begin(tx, self.conf, ctx, "volume", id, action, _REIMAGEABLE, job={
                "host": host, "args": {"image_id": image.id}})
            if row.status == states.ERROR:
                mirror(tx, row, present)
            return Accepted(None, job_id, self.volume.on(host))


_UPLOADABLE = (guards.HAS_PLACE, guards.NOT_MIGRATING, guards.NOT_ENCRYPTED_TO_SHARE)
_REIMAGEABLE = (*guards.OVERWRITABLE, guards.COUNTED, guards.NOT_FROZEN)
