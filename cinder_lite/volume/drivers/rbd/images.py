"""Making, cloning, measuring and changing images of the pool, so that each call may be repeated after a crash.

An image is made under the name NAME.part and renamed when it is whole. What is begun is in the journal before, under
`making/NAME`, with the source of which a temporary snapshot is taken.
"""

import concurrent.futures
import contextlib
import logging

import rados
import rbd

from cinder_lite.volume.drivers.rbd.cluster import patiently
from cinder_lite.volume.drivers.rbd.limiting import put_limits
from cinder_lite.volume.drivers.rbd.protocol import Failure

PART, TEMPORARY = ".part", ".clone_snap"
#: librbd would follow more parents than these; the kernel's RBD client does not.
MOST_PARENTS = 16
THREADS = 8

LOG = logging.getLogger(__name__)


class NotThere(Failure):
    """An image that is not in the pool."""


class Images:
    """The calls by which images are made and changed."""

    CALLS = ("create", "clone", "exists", "extend", "create_snapshot", "readable", "revert", "list", "rename",
             "rename_snapshot", "limit", "clean_up")

    def __init__(self, pool):
        self.pool, self.librbd = pool, rbd.RBD()

    # -- making

    def create(self, name, size, order, limits=None):
        """Make an image of zeros. One that exists stays as it is."""
        with self.pool.locks(name), self._making(name) as part:
            if part:
                self.librbd.create(self.pool.ioctx, part, size, order=order, old_format=False)
                if limits:
                    with self._opened(part) as image:
                        put_limits(image, limits)

    def clone(self, name, size, source, snapshot=None, pool=None, depth=0, flatten=False, limits=None):
        """Make an image of `size` bytes from a snapshot of `source`, or, without one, from its present content.

        librbd gives it the limits of its source; it gets its own. It is made independent of its source in the background when `flatten`, or when it has more than `depth` ancestors.
        """
        taken = {} if snapshot else {"source": source}
        with self.pool.locks(source, name), self._making(name, **taken) as part:
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
    def _making(self, name, **taken):
        """Gives the name under which to make the image, None when it is there already."""
        begun = self.begun(name)
        if begun is None:
            self.pool.note(f"making/{name}", **taken)
        else:
            taken = begun
        if self._whole(name, begun):
            yield None
        else:
            if begun is not None:
                self.remove(name + PART)
            yield name + PART
            self.librbd.rename(self.pool.ioctx, name + PART, name)
        self._drop_traces(name, taken.get("source"))

    def _ancestors(self, image):
        """How many images one depends on, one below the other."""
        try:
            pool, id = image.get_parent_image_spec()["pool_name"], image.parent_id()
        except rbd.ImageNotFound:
            return 0
        with rbd.Image(self.pool.other(pool), image_id=id, read_only=True) as parent:
            return 1 + self._ancestors(parent)

    # -- what is half made

    def _whole(self, name, begun):
        """Whether the image is there and has its name. One that was cut off while being renamed is put right first."""
        if not self.exists(name):
            return False
        if begun is not None and self.exists(name + PART):
            whole = self.listed(name) is not None
            self.pool.ioctx.remove_object(f"rbd_id.{name + PART if whole else name}")
            return whole
        return True

    def begun(self, name):
        """The journal's entry of an image that is being made, or whose making was cut off."""
        return self.pool.noted(f"making/{name}").get(f"making/{name}")

    def _drop_traces(self, name, source):
        """Remove the snapshot that was taken to make the image, and the journal's entry."""
        if source is not None:
            with contextlib.suppress(Failure, rbd.ImageNotFound), self.anywhere(source) as image:
                if has(image, name + TEMPORARY):
                    image.remove_snap(name + TEMPORARY)
        self.pool.strike(f"making/{name}")

    def drop_half(self, name, begun):
        """Remove what was begun of an image and not ended, by the journal's entry; the locks of both are held."""
        if begun is not None:
            self._whole(name, begun)
            self.remove(name + PART)
            self._drop_traces(name, begun.get("source"))

    def remove(self, name):
        """Remove an image, or what a removal that was cut off has left of it."""
        try:
            self.once_unwatched(self.listed(name), lambda: self.librbd.remove(self.pool.ioctx, name))
        except rbd.ImageNotFound:
            id = self.listed(name)
            if id is not None:
                self._unlist(name, id)
            with contextlib.suppress(rados.ObjectNotFound):
                self.pool.ioctx.remove_object(f"rbd_id.{name}")

    def once_unwatched(self, id, call, limit=60):
        """Make a call that is refused while a client watches the image of that id. Watches of the dead are seen off."""
        try:
            return call()
        except rbd.ImageBusy:
            self.pool.look_anew(f"rbd_header.{id}")
            return patiently(call, rbd.ImageBusy, limit)

    def moved_to_trash(self, name):
        """Whether the image is on its way to the trash, or there; what was cut off of that way is done."""
        id = self.listed(name)
        if id is None or self.exists(name) or not self.pool.noted(f"trash/{id}"):
            return False
        self._unlist(name, id)
        return True

    def listed(self, name):
        """The id by which the pool's directory knows an image of that name."""
        try:
            return _text(self.pool.ioctx.execute("rbd_directory", "rbd", "dir_get_id", encoded(name))[1])
        except rados.ObjectNotFound:
            return None

    def _unlist(self, name, id):
        self.pool.ioctx.execute("rbd_directory", "rbd", "dir_remove_image", encoded(name) + encoded(id))

    def clean_up(self):
        """Remove what this backend has begun and not ended; called when nothing is under way."""
        for key, begun in self.pool.noted("making/").items():
            name, source = key.partition("/")[2], begun.get("source", "")
            if begun["owner"] == self.pool.owner:
                with self.pool.locks(name, source):
                    try:
                        self.drop_half(name, begun)
                    except rbd.ImageBusy:
                        LOG.warning("what was begun of %s is open somewhere: it is removed at the next start", name)

    # -- the rest

    @contextlib.contextmanager
    def _opened(self, name, ioctx=None, **how):
        try:
            image = rbd.Image(ioctx or self.pool.ioctx, name, **how)
        except rbd.ImageNotFound as error:
            raise NotThere(f"{name} is not in pool {self.pool.name}") from error
        with image:
            yield image

    @contextlib.contextmanager
    def anywhere(self, name):
        """The open image of that name, also from the trash."""
        if self.exists(name):
            with self._opened(name) as image:
                yield image
            return
        id = next((one["id"] for one in self.librbd.trash_list(self.pool.ioctx) if one["name"] == name), None)
        if id is None:
            raise NotThere(f"{name} is not in pool {self.pool.name}")
        with rbd.Image(self.pool.ioctx, image_id=id) as image:
            yield image

    def readable(self, pool, name, snapshot):
        """Whether there is such a snapshot of an image in any pool, which this user may read."""
        try:
            rbd.Image(self.pool.other(pool), name, snapshot, read_only=True).close()
        except (rbd.ImageNotFound, rbd.PermissionError, Failure):
            return False
        return True

    def exists(self, name):
        """Whether there is an image of that name."""
        try:
            self.pool.ioctx.stat(f"rbd_id.{name}")
        except rados.ObjectNotFound:
            return False
        return True

    def extend(self, name, size):
        """Grow an image to `size` bytes."""
        with self.pool.locks(name), self._opened(name) as image:
            if image.size() > size:
                raise Failure(f"{name} has {image.size()} bytes and cannot shrink to {size}")
            if image.size() < size:
                image.resize(size)

    def limit(self, names, limits, others_too):
        """Give the first of the names that there is these limits; with `others_too` it loses those that it had."""
        with self.pool.locks(*names):
            name = next((name for name in names if self.exists(name)), names[-1])
            with self._opened(name) as image:
                put_limits(image, limits, others_too)

    def create_snapshot(self, name, snapshot):
        """Keep the image's content. A snapshot that exists stays as it is."""
        with self.pool.locks(name), self._opened(name) as image:
            self._take(image, name, snapshot)

    def _take(self, image, name, snapshot):
        if has(image, snapshot):
            try:
                rbd.Image(self.pool.ioctx, name, snapshot, read_only=True).close()
                return
            except rbd.ImageNotFound:
                image.remove_snap(snapshot)  # it was cut off before it had its object map, without which it cannot be read
        image.create_snap(snapshot)

    def revert(self, name, snapshot, size):
        """Give the image a snapshot's content; it keeps its size, or gets `size` bytes where that is more."""
        with self.pool.locks(name), self._opened(name) as image:
            if not has(image, snapshot):
                raise Failure(f"{name} has no snapshot {snapshot}")
            size = max(size, image.size())
            image.rollback_to_snap(snapshot)
            if image.size() != size:
                image.resize(size)

    def list(self, snapshots):
        """[name, bytes, [[snapshot, bytes]]] of each image; without `snapshots` their lists are empty."""
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

    def rename(self, source, name):
        """Give an image another name. When only that is there, it is done already."""
        with self.pool.locks(source, name):
            if source == name or (self.exists(name) and not self.exists(source)):
                return
            if self.exists(name):
                raise Failure(f"pool {self.pool.name} has both {source} and {name}")
            if not self.exists(source):
                raise Failure(f"{source} is not in pool {self.pool.name}")
            self.librbd.rename(self.pool.ioctx, source, name)

    def rename_snapshot(self, name, source, snapshot):
        """Give a snapshot another name. When only that is there, it is done already."""
        with self.pool.locks(name), self._opened(name) as image:
            if has(image, source) and source != snapshot:
                image.rename_snap(source, snapshot)
            elif not has(image, snapshot):
                raise Failure(f"{name} has no snapshot {source}")


def users_snapshots(image):
    """The snapshots that somebody made, without those that librbd keeps for clones or mirrors."""
    return [one for one in image.list_snaps() if one["namespace"] == rbd.RBD_SNAP_NAMESPACE_TYPE_USER]


def has(image, snapshot):
    """Whether somebody made a snapshot of that name."""
    return any(one["name"] == snapshot for one in users_snapshots(image))


def encoded(text):
    """A string as the OSD's methods for images take it."""
    return len(text.encode()).to_bytes(4, "little") + text.encode()


def _text(data):
    return data[4:4 + int.from_bytes(data[:4], "little")].decode()
