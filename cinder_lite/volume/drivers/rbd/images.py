"""Creates, clones, lists and changes images of the pool; each call can be repeated after a crash.

An image is created with the name NAME.part and renamed when it is complete. Before that, the journal has an entry
`making/NAME` with the source of which a temporary snapshot is taken.
"""

import concurrent.futures
import contextlib
import logging
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence

import rados
import rbd

from cinder_lite.volume.drivers.rbd.cluster import Pool, retry
from cinder_lite.volume.drivers.rbd.limiting import put_limits
from cinder_lite.volume.drivers.rbd.protocol import Failure

PART, TEMPORARY = ".part", ".clone_snap"
#: The limit of the kernel's RBD client; librbd supports more parents.
MOST_PARENTS = 16
THREADS = 8

LOG = logging.getLogger(__name__)


class ImageMissing(Failure):
    """The image is not in the pool."""


class Images:
    """The calls that create and change images."""

    CALLS = ("create", "clone", "exists", "extend", "create_snapshot", "readable", "revert", "list", "rename",
             "rename_snapshot", "limit", "clean_up")

    def __init__(self, pool: Pool) -> None:
        self.pool, self.librbd = pool, rbd.RBD()

    # -- create

    def create(self, name: str, size: int, order: int, limits: Mapping[str, str] | None = None) -> None:
        """Create an image of zeros; an existing one stays unchanged."""
        with self.pool.locks(name), self._new_image(name) as part:
            if part:
                self.librbd.create(self.pool.ioctx, part, size, order=order, old_format=False)
                if limits:
                    with self._opened(part) as image:
                        put_limits(image, limits)

    def clone(self, name: str, size: int, source: str, snapshot: str | None = None, pool: str | None = None,
              depth: int = 0, flatten: bool = False, limits: Mapping[str, str] | None = None) -> None:
        """Create an image of `size` bytes from a snapshot of `source`, or without a snapshot from its present content.

        librbd copies the limits of the source; they are replaced by `limits`. The image is flattened in the background
        if `flatten`, or if it has more than `depth` ancestors.
        """
        taken = {} if snapshot else {"source": source}
        with self.pool.locks(source, name), self._new_image(name, **taken) as part:
            if part:
                origin = self.pool.other(pool or self.pool.name)
                with self._opened(source, ioctx=origin) as image:
                    ancestors = 1 + self._ancestors(image)
                    if snapshot is None:
                        snapshot = name + TEMPORARY
                        self._take(image, source, snapshot)
                    elif not has(image, snapshot):
                        raise Failure(f"{source} has no snapshot {snapshot}")
                if flatten or ancestors > depth:
                    self.pool.note(f"flatten/{name}")
                self.librbd.clone(origin, source, snapshot, self.pool.ioctx, part)
                self._fit(part, size, ancestors, limits or {})

    def _fit(self, part, size, ancestors, limits):
        with self._opened(part) as image:
            put_limits(image, limits)
            if image.size() != size:
                image.resize(size)
            if ancestors >= MOST_PARENTS:
                image.flatten()

    @contextlib.contextmanager
    def _new_image(self, name, **taken):
        """Yields the temporary name for creating the image, None if the image exists already."""
        begun = self.begun(name)
        if begun is None:
            self.pool.note(f"making/{name}", **taken)
        else:
            taken = begun
        if self._is_complete(name, begun):
            yield None
        else:
            if begun is not None:
                self.remove(name + PART)
            yield name + PART
            self.librbd.rename(self.pool.ioctx, name + PART, name)
        self._drop_traces(name, taken.get("source"))

    def _ancestors(self, image):
        """The depth of the chain of parents."""
        try:
            pool, id = image.get_parent_image_spec()["pool_name"], image.parent_id()
        except rbd.ImageNotFound:
            return 0
        with rbd.Image(self.pool.other(pool), image_id=id, read_only=True) as parent:
            return 1 + self._ancestors(parent)

    # -- incomplete images

    def _is_complete(self, name, begun):
        """Whether the image exists with its final name. An interrupted rename is repaired first."""
        if not self.exists(name):
            return False
        if begun is not None and self.exists(name + PART):
            complete = self.listed(name) is not None
            self.pool.ioctx.remove_object(f"rbd_id.{name + PART if complete else name}")
            return complete
        return True

    def begun(self, name: str) -> dict | None:
        """The journal's entry of an image whose creation is in progress or was interrupted."""
        return self.pool.noted(f"making/{name}").get(f"making/{name}")

    def _drop_traces(self, name, source):
        """Remove the temporary snapshot and the journal's entry."""
        if source is not None:
            with contextlib.suppress(Failure, rbd.ImageNotFound), self.anywhere(source) as image:
                if has(image, name + TEMPORARY):
                    image.remove_snap(name + TEMPORARY)
        self.pool.strike(f"making/{name}")

    def remove_incomplete(self, name: str, begun: Mapping | None) -> None:
        """Remove an incomplete image by its journal entry; the caller holds the locks of image and source."""
        if begun is not None:
            self._is_complete(name, begun)
            self.remove(name + PART)
            self._drop_traces(name, begun.get("source"))

    def remove(self, name: str) -> None:
        """Remove an image, or the rest of it after an interrupted removal."""
        try:
            self.once_unwatched(self.listed(name), lambda: self.librbd.remove(self.pool.ioctx, name))
        except rbd.ImageNotFound:
            id = self.listed(name)
            if id is not None:
                self._unlist(name, id)
            with contextlib.suppress(rados.ObjectNotFound):
                self.pool.ioctx.remove_object(f"rbd_id.{name}")

    def once_unwatched(self, id: str | None, call: Callable[[], typing.Any], limit: float = 60) -> typing.Any:
        """Make a call that is refused while a client watches the image; waits until watches of dead clients expire."""
        try:
            return call()
        except rbd.ImageBusy:
            self.pool.evict(f"rbd_header.{id}")
            return retry(call, rbd.ImageBusy, limit)

    def moved_to_trash(self, name: str) -> bool:
        """Whether the image is in the trash; completes an interrupted move to the trash."""
        id = self.listed(name)
        if id is None or self.exists(name) or not self.pool.noted(f"trash/{id}"):
            return False
        self._unlist(name, id)
        return True

    def listed(self, name: str) -> str | None:
        """The id of that name in the pool's directory, or None."""
        try:
            return _text(self.pool.ioctx.execute("rbd_directory", "rbd", "dir_get_id", encoded(name))[1])
        except rados.ObjectNotFound:
            return None

    def _unlist(self, name, id):
        self.pool.ioctx.execute("rbd_directory", "rbd", "dir_remove_image", encoded(name) + encoded(id))

    def clean_up(self) -> None:
        """Remove this backend's incomplete images; called while no call is in progress."""
        for key, begun in self.pool.noted("making/").items():
            name, source = key.partition("/")[2], begun.get("source", "")
            if begun["owner"] == self.pool.owner:
                with self.pool.locks(name, source):
                    try:
                        self.remove_incomplete(name, begun)
                    except rbd.ImageBusy:
                        LOG.warning("incomplete image %s is open on another client: it is removed at the next start",
                                    name)

    # -- other calls

    @contextlib.contextmanager
    def _opened(self, name, ioctx=None, **how):
        try:
            image = rbd.Image(ioctx or self.pool.ioctx, name, **how)
        except rbd.ImageNotFound as error:
            raise ImageMissing(f"{name} is not in pool {self.pool.name}") from error
        with image:
            yield image

    @contextlib.contextmanager
    def anywhere(self, name: str) -> Iterator[rbd.Image]:
        """The open image of that name, in the pool or its trash."""
        if self.exists(name):
            with self._opened(name) as image:
                yield image
            return
        id = next((one["id"] for one in self.librbd.trash_list(self.pool.ioctx) if one["name"] == name), None)
        if id is None:
            raise ImageMissing(f"{name} is not in pool {self.pool.name}")
        with rbd.Image(self.pool.ioctx, image_id=id) as image:
            yield image

    def readable(self, pool: str, name: str, snapshot: str) -> bool:
        """Whether the snapshot of an image exists and this user may read it."""
        try:
            rbd.Image(self.pool.other(pool), name, snapshot, read_only=True).close()
        except (rbd.ImageNotFound, rbd.PermissionError, Failure):
            return False
        return True

    def exists(self, name: str) -> bool:
        """Whether the image exists."""
        try:
            self.pool.ioctx.stat(f"rbd_id.{name}")
        except rados.ObjectNotFound:
            return False
        return True

    def extend(self, name: str, size: int) -> None:
        """Grow an image to `size` bytes."""
        with self.pool.locks(name), self._opened(name) as image:
            if image.size() > size:
                raise Failure(f"{name} has {image.size()} bytes and cannot shrink to {size}")
            if image.size() < size:
                image.resize(size)

    def limit(self, names: Sequence[str], limits: Mapping[str, str], others_too: bool) -> None:
        """Set limits of the first of the names that exists; `others_too` removes its other limits."""
        with self.pool.locks(*names):
            name = next((name for name in names if self.exists(name)), names[-1])
            with self._opened(name) as image:
                put_limits(image, limits, others_too)

    def create_snapshot(self, name: str, snapshot: str) -> None:
        """Take a snapshot; an existing one stays unchanged."""
        with self.pool.locks(name), self._opened(name) as image:
            self._take(image, name, snapshot)

    def _take(self, image, name, snapshot):
        if has(image, snapshot):
            try:
                rbd.Image(self.pool.ioctx, name, snapshot, read_only=True).close()
                return
            except rbd.ImageNotFound:
                image.remove_snap(snapshot)  # interrupted before it had its object map, so it is unreadable
        image.create_snap(snapshot)

    def revert(self, name: str, snapshot: str, size: int) -> None:
        """Revert the image to a snapshot; its size stays, or becomes `size` if that is more."""
        with self.pool.locks(name), self._opened(name) as image:
            if not has(image, snapshot):
                raise Failure(f"{name} has no snapshot {snapshot}")
            size = max(size, image.size())
            image.rollback_to_snap(snapshot)
            if image.size() != size:
                image.resize(size)

    def list(self, snapshots: bool) -> Sequence[Sequence]:
        """[name, bytes, [[snapshot, bytes]]] of each image; the snapshots only if requested."""
        found = [one for one in self.librbd.list2(self.pool.ioctx) if not one["name"].endswith(PART)]
        with concurrent.futures.ThreadPoolExecutor(THREADS) as threads:
            return [one for one in threads.map(lambda one: self._described(one, snapshots), found) if one]

    def _described(self, entry, snapshots):
        try:
            with rbd.Image(self.pool.ioctx, image_id=entry["id"], read_only=True) as image:
                return [entry["name"], image.size(),
                        [[one["name"], one["size"]] for one in users_snapshots(image)] if snapshots else []]
        except rbd.ImageNotFound:
            return None  # removed since it was listed

    def rename(self, source: str, name: str) -> None:
        """Rename an image. If only the new name exists, it is done already."""
        with self.pool.locks(source, name):
            if source == name or (self.exists(name) and not self.exists(source)):
                return
            if self.exists(name):
                raise Failure(f"pool {self.pool.name} has both {source} and {name}")
            if not self.exists(source):
                raise Failure(f"{source} is not in pool {self.pool.name}")
            self.librbd.rename(self.pool.ioctx, source, name)

    def rename_snapshot(self, name: str, source: str, snapshot: str) -> None:
        """Rename a snapshot. If only the new name exists, it is done already."""
        with self.pool.locks(name), self._opened(name) as image:
            if has(image, source) and source != snapshot:
                image.rename_snap(source, snapshot)
            elif not has(image, snapshot):
                raise Failure(f"{name} has no snapshot {source}")


def users_snapshots(image: rbd.Image) -> list[dict]:
    """The snapshots of users, without those that librbd keeps for clones or mirrors."""
    return [one for one in image.list_snaps() if one["namespace"] == rbd.RBD_SNAP_NAMESPACE_TYPE_USER]


def has(image: rbd.Image, snapshot: str) -> bool:
    """Whether a user's snapshot of that name exists."""
    return any(one["name"] == snapshot for one in users_snapshots(image))


def encoded(text: str) -> bytes:
    """A string encoded for the OSD's methods."""
    return len(text.encode()).to_bytes(4, "little") + text.encode()


def _text(data):
    return data[4:4 + int.from_bytes(data[:4], "little")].decode()
