"""Downloads an image, resumes after a broken connection, and verifies the hash that Glance recorded."""

import contextlib
import hashlib
import logging
import os
import urllib.parse
from collections.abc import Callable, Collection, Iterator

from cinder_lite import concurrency, context, errors
from cinder_lite.concurrency import clock
from cinder_lite.image import glance
from cinder_lite.image.formats import ImageRefused
from cinder_lite.image.record import Image

LOG = logging.getLogger(__name__)


class ImageGone(errors.Explained):
    """The image was deleted or deactivated while a volume was being created from it."""


class Digest:
    """Hashes an image's content with the algorithm that Glance used; verifies nothing if Glance has no hash."""

    def __init__(self, image: Image) -> None:
        self.algorithm, self.wanted = None, None
        if image.hash_value and image.hash_algorithm in hashlib.algorithms_available:
            self.algorithm, self.wanted = image.hash_algorithm, image.hash_value
        elif image.checksum:
            self.algorithm, self.wanted = "md5", image.checksum
        else:
            LOG.warning("Glance has no hash of image %s, so its content cannot be verified", image.id)
        self._hash = hashlib.new(self.algorithm, usedforsecurity=False) if self.algorithm else None

    def update(self, data: bytes | memoryview) -> None:
        if self._hash is not None:
            self._hash.update(data)

    def check(self) -> None:
        """Raises ImageRefused if the hash differs from the one that Glance recorded."""
        if self._hash is not None and self._hash.hexdigest() != self.wanted:
            raise ImageRefused(f"its {self.algorithm} hash is {self._hash.hexdigest()}, but Glance recorded "
                               f"{self.wanted}: it was damaged in Glance's store or in transfer")


def pieces(client: glance.Glance, ctx: context.Context, image: Image, start: int,
           check: Callable[[], object]) -> Iterator[bytes]:
    """Yield the image's data from byte `start` to its end. `check()` is called before each retry, and may raise.

    Raises ImageServiceUnavailable after glance_num_retries retries without new data, ImageGone, ImageRefused.
    """
    size = image.size or 0
    path = _local(image, client.conf.allowed_direct_url_schemes)
    position, failures = start, 0
    while position < size:
        try:
            with _from_file(path, position) if path else client.read(ctx, image.id, position) as data:
                for piece in data:
                    position, failures = position + len(piece), 0
                    if position > size:
                        raise ImageRefused(f"it has more than the {size} bytes that Glance recorded")
                    yield piece
            reason = f"it ended at byte {position} of {size}"
        except errors.ImageNotFound as error:
            raise ImageGone(f"image {image.id} was deleted while a volume was created from it") from error
        except (glance.BrokenOff, errors.ImageServiceUnavailable) as error:
            reason = str(error)
        if position == size:
            return
        failures += 1
        if failures > client.conf.glance_num_retries:
            raise errors.ImageServiceUnavailable(
                reason=f"the download of image {image.id} broke off at byte {position}: {reason}")
        LOG.warning("the download of image %s broke off at byte %d, resuming: %s", image.id, position, reason)
        check()
        clock.sleep(client.pause(failures))


def _local(image, schemes):
    """The path of the image's file if this host may read it without Glance, or None."""
    paths = (urllib.parse.unquote(urllib.parse.urlsplit(url).path) for url in at_hand(image, schemes)
             if url.startswith("file:"))
    return next((path for path in paths if os.access(path, os.R_OK)), None)


def at_hand(image: Image, schemes: Collection[str]) -> list[str]:
    """The locations of the image that may be used without Glance: files only if `schemes` allows them."""
    return [url for url in image.locations if not url.startswith("file:") or "file" in schemes]


@contextlib.contextmanager
def _from_file(path, start):
    """The data of a file from byte `start` on, like Glance.read."""
    with open(path, "rb") as file:
        file.seek(start)
        yield iter(lambda: concurrency.in_thread(file.read, glance.PIECE), b"")
