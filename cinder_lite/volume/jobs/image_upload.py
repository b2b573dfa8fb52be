"""Uploads a volume to an image: directly, or converted through a file."""

import contextlib
import dataclasses
import os
from collections.abc import Mapping

from oslo_config import cfg

from cinder_lite import concurrency, errors
from cinder_lite.blockio import copy, device
from cinder_lite.concurrency import clock
from cinder_lite.image import formats, qemu, record
from cinder_lite.image.glance import PIECE, Glance
from cinder_lite.jobs import outcomes
from cinder_lite.jobs.work import Work
from cinder_lite.volume.jobs.image_download import allocate, conversion_files, opened

#: Format -> options of qemu-img for it.
OPTIONS = {"vmdk": "subformat=streamOptimized"}
#: The status of an image whose data is being uploaded.
SAVING = "saving"


@dataclasses.dataclass(frozen=True)
class ImageUpload:
    """The upload of one volume to the image that the job's arguments name."""

    conf: cfg.ConfigOpts
    glance: Glance
    work: Work

    @property
    def image_id(self) -> str:
        return self.work.args["image_id"]

    def is_done(self) -> bool:
        """Whether a former attempt has uploaded the data. Raises Refused if the image can get none."""
        for attempt in range(1, 2 + self.conf.glance_num_retries):
            try:
                status = self.glance.show(self.work.ctx, self.image_id).status
            except errors.ImageNotFound as error:
                raise outcomes.Refused(f"image {self.image_id} was deleted before it had its data") from error
            if status != SAVING:
                return status == record.ACTIVE
            # Glance may not have noticed yet that the former attempt was interrupted.
            clock.sleep(self.glance.pause(attempt))
        raise outcomes.Refused(f"image {self.image_id} is still {SAVING} after an interrupted attempt, and Glance does "
                               "not accept its data again; create another")

    def delete_image(self) -> None:
        """Delete the image, which will get no data."""
        self.glance.delete(self.work.ctx, self.image_id)

    def send(self, where: Mapping, size: int) -> None:
        """Upload `size` bytes from `where` (see cinder_lite.blockio.device) in the image's format."""
        disk_format = self.work.args["disk_format"]
        if disk_format in formats.UNCONVERTED:
            self._upload(where, size, size)
            return
        with conversion_files(self.conf, self.work, disk_format) as (path, raw):
            self._convert(where, path, raw, disk_format, size)
            self._upload({"path": path}, os.path.getsize(path), size)

    def _convert(self, where, path, raw, disk_format, size):
        qemu_format = formats.CONVERTED[disk_format]
        if "path" not in where:
            concurrency.in_thread(allocate, raw, 0)
            os.truncate(raw, size)
            concurrency.in_thread(copy.copy, where, {"path": raw}, size)
            where = {"path": raw}
        with contextlib.suppress(qemu.ConversionFailed):  # not every format can be measured
            concurrency.in_thread(allocate, path, qemu.converted_size(where["path"], qemu_format))
        qemu.from_raw(where["path"], qemu_format, path, OPTIONS.get(disk_format),
                      lambda percent: self._converted(percent, size))

    def _converted(self, percent, size):
        if self.work.cancelled():
            raise outcomes.Interrupted
        self.work.step(size * percent, size * 200)

    def _upload(self, where, length, size):
        with opened(device.source(where)) as source:
            self.glance.upload(self.work.ctx, self.image_id, self._pieces(source, length), length)

    def _pieces(self, source, length):
        for position in range(0, length, PIECE):
            if self.work.cancelled():
                raise outcomes.Interrupted
            yield concurrency.in_thread(source.read, position, min(PIECE, length - position))
            self.work.progress(position, length)
