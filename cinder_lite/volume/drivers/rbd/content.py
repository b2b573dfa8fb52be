"""An image's bytes for `cinder_lite.blockio.device`, read and written by a process with librbd of their own."""

import contextlib

from cinder_lite.blockio import device
from cinder_lite.volume.drivers import base
from cinder_lite.volume.drivers.rbd.supervisor import Cluster, Librbd

#: Bytes whose extents are asked for at once.
WINDOW = 64 * 1024**3


def data(cluster, image, snapshot=None):
    """Where the bytes of an image or snapshot are, for `source` and `target` of any process of this host."""
    return {"rbd": {"cluster": vars(cluster), "image": image, "snapshot": snapshot}}


class _Image:
    """An image that is open while the context is. Calls may come from several threads.

    `librbd` is a process that others use as well; by default there is one for this image alone.
    """

    def __init__(self, where, writable, librbd=None):
        self.image, self.snapshot, self._writable = where["image"], where["snapshot"], writable
        self._librbd, self._shared = librbd or Librbd(Cluster(**where["cluster"])), librbd is not None

    def __enter__(self):
        try:
            self.number, self._identity = self._ask(
                "open", attempts=2, image=self.image, snapshot=self.snapshot, writable=self._writable)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *exception):
        # Closing lets go of the image at once; what has ended without is let go of by the cluster after 30 s.
        with contextlib.suppress(device.ContentError):
            self._ask("close", number=self.number)
        self._end()

    def _end(self):
        if not self._shared:
            self._librbd.close()

    def _ask(self, name, /, attempts=1, **arguments):
        try:
            return self._librbd.call(name, attempts=attempts, **arguments)
        except base.DriverError as error:
            raise device.ContentError(f"cannot {name} {self.image}: {error}") from error


class Source(_Image):
    """What reads an image or snapshot; the methods of content.Source."""

    def __init__(self, where, librbd=None):
        super().__init__(where, False, librbd)

    def identity(self):
        return self._identity

    def extents(self, start, end):
        while start < end:
            stop = min(start + WINDOW, end)
            yield from self._ask("extents", number=self.number, start=start, end=stop)
            start = stop

    def read(self, offset, length):
        found = self._ask("read", number=self.number, offset=offset, length=length)
        if len(found or b"") < length:
            raise device.ContentError(f"{self.image} ends at byte {offset + len(found or b'')}, before the volume's size")
        return found


class Target(_Image):
    """What writes an image; the methods of content.Target."""

    def __init__(self, where, librbd=None):
        super().__init__(where, True, librbd)

    def size(self):
        return self._ask("size", number=self.number)

    def write(self, offset, data):
        self._ask("write", number=self.number, offset=offset, data=bytes(data))

    def zero(self, start, end):
        if start < end:
            self._ask("zero", number=self.number, start=start, end=end)

    def sync(self):
        self._ask("sync", number=self.number)
