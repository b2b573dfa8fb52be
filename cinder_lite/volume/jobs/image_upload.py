"""How a volume gets into an image: as it is, or through a file of the format that was asked for."""

import contextlib
import dataclasses
import os
import time

from cinder_lite import concurrency, errors
from cinder_lite.blockio import copy, device
from cinder_lite.image import formats, qemu, record
from cinder_lite.image.glance import PIECE
from cinder_lite.jobs import worker
from cinder_lite.volume.jobs.image_download import kept_while_interrupted, opened, reserve

#: Formats -> what qemu-img is told of them.
OPTIONS = {"vmdk": "subformat=streamOptimized"}
#: The status of an image whose data is on the way.
SAVING = "saving"


@dataclasses.dataclass
class Uploading:
    """One volume on its way into one image, which is named in the arguments of the job."""

    conf: object
    glance: object
    work: worker.Work

    @property
    def image_id(self):
        return self.work.args["image_id"]

    def is_done(self):
        """Whether a former attempt had given the image its data already. Raises worker.Refused for a lost image."""
        for attempt in range(1, 2 + self.conf.glance_num_retries):
            try:
                status = self.glance.show(self.work.ctx, self.image_id).status
            except errors.ImageNotFound as error:
                raise worker.Refused(f"image {self.image_id} was deleted before it had its data") from error
            if status != SAVING:
                return status == record.ACTIVE
            # Glance may not have noticed yet that the former attempt was cut off.
            time.sleep(self.glance.pause(attempt))
        raise worker.Refused(f"image {self.image_id} is still {SAVING} from an attempt that was cut off, and Glance does "
                             "not take its data again; make another")

    def withdraw(self):
        """Delete the image, which is not going to have data."""
        self.glance.delete(self.work.ctx, self.image_id)

    def send(self, where, size):
        """Upload the `size` bytes that are at `where` in the image's format."""
        disk_format = self.work.args["disk_format"]
        if disk_format in formats.UNCONVERTED:
            self._upload(where, size, size)
            return
        directory = self.conf.image_conversion_dir
        os.makedirs(directory, mode=0o700, exist_ok=True)
        path = os.path.join(directory, f"{self.work.job.id}.{disk_format}")
        with kept_while_interrupted(self.work, path, raw := f"{path}.raw"):
            self._convert(where, path, raw, disk_format, size)
            self._upload({"path": path}, os.path.getsize(path), size)

    def _convert(self, where, path, raw, disk_format, size):
        qemu_format = formats.CONVERTED[disk_format]
        if "path" not in where:
            concurrency.in_thread(reserve, raw, 0)
            os.truncate(raw, size)
            concurrency.in_thread(copy.copy, where, {"path": raw}, size)
            where = {"path": raw}
        with contextlib.suppress(qemu.ConversionFailed):  # not every format can be measured
            concurrency.in_thread(reserve, path, qemu.converted_size(where["path"], qemu_format))
        qemu.from_raw(where["path"], qemu_format, path, OPTIONS.get(disk_format), lambda percent: self._converted(percent, size))

    def _converted(self, percent, size):
        if self.work.cancelled():
            raise worker.Interrupted
        self.work.step(size * percent, size * 200)

    def _upload(self, where, length, size):
        with opened(device.source(where)) as source:
            self.glance.upload(self.work.ctx, self.image_id, self._pieces(source, length), length)

    def _pieces(self, source, length):
        for position in range(0, length, PIECE):
            if self.work.cancelled():
                raise worker.Interrupted
            yield concurrency.in_thread(source.read, position, min(PIECE, length - position))
            self.work.progress(position, length)
