"""Downloads an image into a volume: raw images directly, others through a file that qemu-img converts.

The job records the progress (`copied`, in bytes of the image), so that a download is resumed after a crash; the data
downloaded before is then read again for the hash. The volume becomes available only if the hash is right.
"""

import contextlib
import dataclasses
import errno
import os
from collections.abc import Iterator
from typing import Any

from oslo_config import cfg

from cinder_lite import concurrency, errors
from cinder_lite.blockio import copy, device, sparse
from cinder_lite.image import download, formats, qemu
from cinder_lite.image.glance import PIECE, Glance
from cinder_lite.image.record import Image
from cinder_lite.jobs import outcomes
from cinder_lite.jobs.work import Work
from cinder_lite.volume.backends import Backend
from cinder_lite.volume.drivers import base as drivers

#: Bytes after which written data is synced, so that it need not be downloaded again after a crash.
SYNC_INTERVAL = 64 * 1024**2


@dataclasses.dataclass(frozen=True)
class ImageDownload:
    """The download of one image into one volume by a job. `is_zero`: unwritten parts of the volume read as zeros."""

    conf: cfg.ConfigOpts
    glance: Glance
    backend: Backend
    work: Work
    image: Image
    is_zero: bool

    def fill(self, volume: drivers.Volume) -> None:
        """Write the image's content to the volume. Raises Interrupted where it can be resumed."""
        where = self.backend.content(volume)
        size = volume.size * drivers.GIB
        if self.image.disk_format in formats.UNCONVERTED:
            formats.check_fits(self.image.size or 0, volume.size)
            self._stream(where, size)
        else:
            self._convert(where, volume.size)

    def _check(self):
        if self.work.cancelled():
            raise outcomes.Interrupted

    # -- raw images

    def _stream(self, where, size):
        with opened(device.target(where, self.work.fence)) as target:
            sink = _VolumeSink(target, self.is_zero)
            self._fetch(where, sink)
            if not self.is_zero:
                concurrency.in_thread(target.zero, self.image.size, size)
            concurrency.in_thread(target.sync)

    def _fetch(self, where, sink, steps=1):
        """Download into `sink`, as one of `steps` equal steps of the job. `where` has the data downloaded before.

        The sink is a target, or a _VolumeSink with one.
        """
        digest, inspection = download.Digest(self.image), formats.Inspection(self.image.disk_format)
        position = synced = self.work.args.get("copied", 0)
        whole = self.image.size * steps
        try:
            concurrency.in_thread(_read_again, where, position, digest, inspection)
            for piece in download.pieces(self.glance, self.work.ctx, self.image, position, self._check):
                self._check()
                concurrency.in_thread(_write_piece, sink, position, piece, digest, inspection)
                position += len(piece)
                if position - synced >= SYNC_INTERVAL:
                    concurrency.in_thread(sink.sync)
                    synced = self.work.args["copied"] = position
                self.work.progress(position, whole)
        except outcomes.Interrupted:
            concurrency.in_thread(sink.sync)
            self.work.args["copied"] = position
            raise
        inspection.finish()
        digest.check()

    # -- other formats

    def _convert(self, where, gigabytes):
        with conversion_files(self.conf, self.work, self.image.disk_format) as (path, raw):
            self._download(path)
            qemu_format = formats.CONVERTED[self.image.disk_format]
            concurrency.in_thread(formats.inspect_file, path, self.image.disk_format)
            described = qemu.info(path, qemu_format, self.conf.image_conversion_address_space_limit,
                                  self.conf.image_conversion_cpu_limit)
            disk = formats.virtual_size(described, self.image.disk_format)
            formats.check_fits(disk, gigabytes)
            qemu.check(path, qemu_format)
            if "path" in where:
                with self.work.fence:  # qemu-img ends with this process
                    qemu.to_raw(path, qemu_format, where["path"], self.is_zero, self._converted)
            else:
                self._convert_through_file(raw, path, qemu_format, where, disk, gigabytes)
            with opened(device.target(where, self.work.fence)) as target:
                if not self.is_zero:
                    concurrency.in_thread(target.zero, disk, gigabytes * drivers.GIB)
                concurrency.in_thread(target.sync)

    def _converted(self, percent):
        self._check()
        self.work.step(self.image.size * (100 + percent), self.image.size * 200)

    def _convert_through_file(self, raw, path, qemu_format, where, disk, gigabytes):
        """Convert into a separate file first, for volumes that qemu-img cannot open."""
        allocate(raw, 0)
        os.truncate(raw, disk)
        qemu.to_raw(path, qemu_format, raw, True, self._converted)
        if not self.is_zero:
            with opened(device.target(where, self.work.fence)) as target:
                concurrency.in_thread(target.zero, 0, gigabytes * drivers.GIB)
        try:
            concurrency.in_thread(copy.copy, {"path": raw}, where, disk, cancelled=self.work.cancelled,
                                  fence=self.work.fence)
        except copy.Cancelled as error:
            raise outcomes.Interrupted from error

    def _download(self, path):
        """Download the image into a file whose space is allocated first."""
        if not os.path.exists(path):
            self.work.args["copied"] = 0
            concurrency.in_thread(allocate, path, self.image.size)
        with opened(device.target({"path": path}, self.work.fence)) as target:
            self._fetch({"path": path}, target, steps=2)


class _VolumeSink:
    """Writes to a volume, skipping zeros where the volume reads as zeros."""

    def __init__(self, target, is_zero):
        self.target, self.is_zero = target, is_zero
        self.sync = target.sync

    def write(self, position, data):
        view, last = memoryview(data), 0
        for begin, end in sparse.runs(data):
            self._zeros(position + last, position + begin)
            self.target.write(position + begin, view[begin:end])
            last = end
        self._zeros(position + last, position + len(data))

    def _zeros(self, begin, end):
        if not self.is_zero and begin < end:
            self.target.zero(begin, end)


def _write_piece(sink, position, piece, digest, inspection):
    inspection.feed(piece)
    digest.update(piece)
    sink.write(position, piece)


def _read_again(where, end, digest, inspection):
    """Read the data downloaded before into the hash and the inspection."""
    if not end:
        return
    with device.source(where) as source:
        for position in range(0, end, PIECE):
            data = source.read(position, min(PIECE, end - position))
            inspection.feed(data)
            digest.update(data)


@contextlib.contextmanager
def opened(place: Any) -> Iterator[Any]:
    """The source or target (see cinder_lite.blockio.device), opened and closed in a native thread."""
    concurrency.in_thread(place.__enter__)
    try:
        yield place
    finally:
        concurrency.in_thread(place.__exit__, None, None, None)


def allocate(path: str, size: int) -> None:
    """Create a file and allocate `size` bytes for it. Raises Refused if the file system has less free space."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if size:
            os.posix_fallocate(file, 0, size)
    except OSError as error:
        os.unlink(path)
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise outcomes.Refused(
            f"image_conversion_dir {os.path.dirname(path)} has no space for the {size} bytes of the image that is "
            "converted there; enlarge it, or try again when fewer images are converted",
            public="there is no space to convert the image; try again later") from error
    finally:
        os.close(file)


@contextlib.contextmanager
def conversion_files(conf: cfg.ConfigOpts, work: Work, disk_format: str) -> Iterator[tuple[str, str]]:
    """The paths of the job's two files in image_conversion_dir: in the image's format, and raw.

    They are removed at the end, unless the job is interrupted and will be resumed with them.
    """
    os.makedirs(conf.image_conversion_dir, mode=0o700, exist_ok=True)
    path = os.path.join(conf.image_conversion_dir, f"{work.job.id}.{disk_format}")
    files = path, f"{path}.raw"
    is_resumed = False
    try:
        yield files
    except (outcomes.Interrupted, errors.Stale):
        is_resumed = True  # also if that cannot be read now
        is_resumed = not work.has_failed()
        raise
    finally:
        for name in () if is_resumed else files:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)
