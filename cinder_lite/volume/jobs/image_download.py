"""How an image gets into a volume: raw ones as they come, others through a file that qemu-img converts.

How far it got is in the job (`copied`, in bytes of the image), so that a download goes on after the service was killed;
what had arrived before is read again then, for the hash. The volume is used only when the hash was right at the end.
"""

import contextlib
import dataclasses
import errno
import os

from cinder_lite import concurrency
from cinder_lite.blockio import copy, device, sparse
from cinder_lite.image import download, formats, qemu
from cinder_lite.image.glance import PIECE
from cinder_lite.jobs import worker
from cinder_lite.volume.drivers import base as drivers

#: Bytes after which what was written is made durable, so that a killed service need not get it again.
DURABLE = 64 * 1024**2


@dataclasses.dataclass
class Filling:
    """One image on its way into one volume. `fresh` says that the volume reads as zeros where nothing was written.

    `backend` knows where the volume's bytes are, `glance` is asked for the image, `work` is the job.
    """

    conf: object
    glance: object
    backend: object
    work: worker.Work
    image: object
    fresh: bool

    def fill(self, volume):
        """Give the drivers.Volume the image's content. Raises worker.Interrupted at a place from which it can go on."""
        where = self.backend.content(volume)
        size = volume.size * drivers.GIB
        if self.image.disk_format in formats.UNCONVERTED:
            formats.check_fits(self.image.size, volume.size)
            self._stream(where, size)
        else:
            self._convert(where, volume.size)

    def _check(self):
        if self.work.cancelled():
            raise worker.Interrupted

    # -- raw images

    def _stream(self, where, size):
        with opened(device.target(where)) as target:
            sink = _Volume(target, self.fresh)
            self._fetch(where, sink)
            if not self.fresh:
                concurrency.in_thread(target.zero, self.image.size, size)
            concurrency.in_thread(target.sync)

    def _fetch(self, where, sink, share=1):
        """Download into `sink`, which is a `share`-th part of the work. `where` has what arrived before."""
        digest, inspection = download.Digest(self.image), formats.Inspection(self.image.disk_format)
        position = durable = self.work.args.get("copied", 0)
        whole = self.image.size * share
        try:
            concurrency.in_thread(_again, where, position, digest, inspection)
            for piece in download.pieces(self.glance, self.work.ctx, self.image, position, self._check):
                self._check()
                concurrency.in_thread(_take, sink, position, piece, digest, inspection)
                position += len(piece)
                if position - durable >= DURABLE:
                    concurrency.in_thread(sink.sync)
                    durable = self.work.args["copied"] = position
                self.work.progress(position, whole)
        except worker.Interrupted:
            concurrency.in_thread(sink.sync)
            self.work.args["copied"] = position
            raise
        inspection.finish()
        digest.check()

    # -- others

    def _convert(self, where, gigabytes):
        directory = self.conf.image_conversion_dir
        os.makedirs(directory, mode=0o700, exist_ok=True)
        path = os.path.join(directory, f"{self.work.job.id}.{self.image.disk_format}")
        with kept_while_interrupted(self.work, path, raw := f"{path}.raw"):
            self._download(path)
            qemu_format = formats.CONVERTED[self.image.disk_format]
            concurrency.in_thread(formats.inspect_file, path, self.image.disk_format)
            said = qemu.info(path, qemu_format, self.conf.image_conversion_address_space_limit,
                             self.conf.image_conversion_cpu_limit)
            disk = formats.virtual_size(said, self.image.disk_format)
            formats.check_fits(disk, gigabytes)
            qemu.check(path, qemu_format)
            if "path" in where:
                qemu.to_raw(path, qemu_format, where["path"], self.fresh, self._converted)
            else:
                self._by_way_of(raw, path, qemu_format, where, disk, gigabytes)
            with opened(device.target(where)) as target:
                if not self.fresh:
                    concurrency.in_thread(target.zero, disk, gigabytes * drivers.GIB)
                concurrency.in_thread(target.sync)

    def _converted(self, percent):
        self._check()
        self.work.step(self.image.size * (100 + percent), self.image.size * 200)

    def _by_way_of(self, raw, path, qemu_format, where, disk, gigabytes):
        """Convert into a file of its own first, for volumes that qemu-img cannot open."""
        reserve(raw, 0)
        os.truncate(raw, disk)
        qemu.to_raw(path, qemu_format, raw, True, self._converted)
        if not self.fresh:
            with opened(device.target(where)) as target:
                concurrency.in_thread(target.zero, 0, gigabytes * drivers.GIB)
        try:
            concurrency.in_thread(copy.copy, {"path": raw}, where, disk, cancelled=self.work.cancelled)
        except copy.Cancelled as error:
            raise worker.Interrupted from error

    def _download(self, path):
        """The image in a file, for which the room is taken before."""
        if not os.path.exists(path):
            self.work.args["copied"] = 0
            concurrency.in_thread(reserve, path, self.image.size)
        with opened(device.target({"path": path})) as target:
            self._fetch({"path": path}, _Plain(target), share=2)


class _Volume:
    """Writes to a volume what is not zero; zeros only where the volume may hold something else."""

    def __init__(self, target, fresh):
        self.target, self.fresh = target, fresh
        self.sync = target.sync

    def write(self, position, data):
        view, last = memoryview(data), 0
        for begin, end in sparse.runs(data):
            self._zeros(position + last, position + begin)
            self.target.write(position + begin, view[begin:end])
            last = end
        self._zeros(position + last, position + len(data))

    def _zeros(self, begin, end):
        if not self.fresh and begin < end:
            self.target.zero(begin, end)


class _Plain:
    """Writes everything: the room was taken already."""

    def __init__(self, target):
        self.write, self.sync = target.write, target.sync


def _take(sink, position, piece, digest, inspection):
    inspection.feed(piece)
    digest.update(piece)
    sink.write(position, piece)


def _again(where, end, digest, inspection):
    """Look at what arrived before once more."""
    if not end:
        return
    with device.source(where) as source:
        for position in range(0, end, PIECE):
            data = source.read(position, min(PIECE, end - position))
            inspection.feed(data)
            digest.update(data)


@contextlib.contextmanager
def opened(place):
    """The source or target (see cinder_lite.blockio.device), opened and closed in a native thread."""
    concurrency.in_thread(place.__enter__)
    try:
        yield place
    finally:
        concurrency.in_thread(place.__exit__, None, None, None)


def reserve(path, size):
    """Make a file with room for `size` bytes. Raises worker.Refused where there is not so much."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if size:
            os.posix_fallocate(file, 0, size)
    except OSError as error:
        os.unlink(path)
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise worker.Refused(f"image_conversion_dir {os.path.dirname(path)} has no room for the {size} bytes of the "
                             "image that is converted there; enlarge it or try again when less is converted",
                             public="there is no room to convert the image; try again later") from error
    finally:
        os.close(file)


@contextlib.contextmanager
def kept_while_interrupted(work, *paths):
    """The files are removed at the end, unless the work is going to go on with them."""
    try:
        yield
    except worker.Interrupted:
        if work.superseded:
            _remove(paths)
        raise
    except BaseException:
        _remove(paths)
        raise
    else:
        _remove(paths)


def _remove(paths):
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
