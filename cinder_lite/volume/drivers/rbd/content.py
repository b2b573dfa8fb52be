"""Reads and writes an image's bytes for `cinder_lite.blockio.device`, with a librbd process of its own."""

import contextlib
from collections.abc import Iterator

from cinder_lite.blockio import device
from cinder_lite.volume.drivers import base
from cinder_lite.volume.drivers.rbd.supervisor import Cluster, Librbd

#: Bytes per query of extents.
WINDOW = 64 * 1024**3


def data(cluster: Cluster, image: str, snapshot: str | None = None) -> dict:
    """The location of an image's or snapshot's bytes, for `source` and `target` in any process of this host."""
    return {"rbd": {"cluster": vars(cluster), "image": image, "snapshot": snapshot}}


class _Image:
    """An image that is open within the context. Thread-safe.

    `librbd` is a shared process; by default a process is started for this image alone.
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
        # Closing releases the image at once; without it the cluster releases the image after 30 s.
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
    """Reads an image or snapshot; the same methods as blockio.device.Source."""

    def __init__(self, where: dict, librbd: Librbd | None = None) -> None:
        super().__init__(where, False, librbd)

    def identity(self) -> str:
        return self._identity

    def extents(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        while start < end:
            stop = min(start + WINDOW, end)
            yield from self._ask("extents", number=self.number, start=start, end=stop)
            start = stop

    def read(self, offset: int, length: int) -> bytes:
        found = self._ask("read", number=self.number, offset=offset, length=length)
        if len(found or b"") < length:
            raise device.ContentError(f"{self.image} ends at byte {offset + len(found or b'')}, before the volume's "
                                      "size")
        return found


class Target(_Image):
    """Writes an image; the same methods as blockio.device.Target."""

    def __init__(self, where: dict, librbd: Librbd | None = None) -> None:
        super().__init__(where, True, librbd)

    def size(self) -> int:
        return self._ask("size", number=self.number)

    def write(self, offset: int, data: bytes | memoryview) -> None:
        self._ask("write", number=self.number, offset=offset, data=data)

    def zero(self, start: int, end: int) -> None:
        if start < end:
            self._ask("zero", number=self.number, start=start, end=end)

    def sync(self) -> None:
        self._ask("sync", number=self.number)
