"""Removing images and snapshots, whatever was cloned from them, and the work that nobody waits for.

With clones of the second format a snapshot with clones goes by itself when the last of them goes. An image with such
snapshots, or with others, moves to the pool's trash; it is in the journal as `trash/ID`, so that nobody else's trash is
touched, and is purged when nothing needs it any more. Clones that are to become independent are there as `flatten/NAME`.
"""

import contextlib
import logging
import re
import threading
import time

import rados
import rbd

from cinder_lite.volume.drivers.rbd.cinder_backups import backups_in
from cinder_lite.volume.drivers.rbd.cluster import patiently
from cinder_lite.volume.drivers.rbd.images import TEMPORARY, Images, NotThere, encoded, has
from cinder_lite.volume.drivers.rbd.protocol import Failure

#: Seconds for an image to be opened whose snapshots go at that moment.
OPENING = 2

#: What Cinder calls a deleted volume that clones need.
DELETED = re.compile(r"volume-[0-9a-f-]{36}\.deleted")

#: What an image in the trash is to librbd.
NORMAL, MOVING = 0, 1

LOG = logging.getLogger(__name__)


class OldClones(Failure):
    """A snapshot that clones of the first format depend on: {pool, image}."""

    def __init__(self, snapshot, children):
        told = ", ".join(f"{pool}/{child}" for pool, child in children)
        super().__init__(f"snapshot {snapshot} is protected for clones of the old format: {told}; flatten these "
                         "('rbd flatten'), or create them anew", "busy")
        self.clones = children


class Removal:
    """The calls by which images and snapshots are removed."""

    CALLS = ("delete", "delete_snapshot", "run_maintenance", "take_over_deleted")

    def __init__(self, pool):
        self.pool, self.images, self.librbd = pool, Images(pool), rbd.RBD()
        self._tending, self._cancelled, self._purged_at = threading.Lock(), set(), None

    def delete(self, name, delay=None):
        """Remove an image; with a `delay` it stays in the trash for so many seconds, and until it is purged."""
        begun = self.images.begun(name)
        self._cancelled.add(name)
        try:
            # Removing a clone removes its parent's snapshot, and librbd asserts when two of one image go at once.
            source, _, _, _, origin = self._facts(name)
            with self.pool.locks(name, (begun or {}).get("source", ""), source):
                self.images.drop_half(name, begun)
                parent = None if self.images.moved_to_trash(name) else self._delete(name, delay)
                self._drop_cinders(name, *origin)
                self.pool.strike(f"flatten/{name}")
        finally:
            self._cancelled.discard(name)
        if parent is not None and delay is None:
            self._purge(parent)

    def _delete(self, name, delay):
        """The id of the parent, which may have to go as well."""
        _, parent, id, kept, _ = self._facts(name)
        try:
            kept = kept and self._kept_without_backups(name)
            if delay is None and not kept:
                self.images.remove(name)
            else:
                with self.pool.locks(f"trash/{id}"):
                    self.pool.note(f"trash/{id}", due=time.time() + (delay or 0))
                    self.images.once_unwatched(id, lambda: self.librbd.trash_move(self.pool.ioctx, name, delay or 0))
        except rbd.ImageNotFound:
            return None
        except rbd.ImageBusy as error:
            raise Failure(f"{name} is open on {self._watchers(name)}: detach it there", "busy") from error
        return parent

    def _kept_without_backups(self, name):
        """Whether there are snapshots but those that Cinder took for backups in Ceph and kept with the volume: these go."""
        with rbd.Image(self.pool.ioctx, name) as image:
            for snapshot in backups_in(image).values():
                image.remove_snap(snapshot)
            return any(True for _ in image.list_snaps())

    def _facts(self, name):
        """(name of the parent, its id if it is in this pool, own id, whether it has snapshots, parent's id and snapshot)."""
        def found():
            with rbd.Image(self.pool.ioctx, name, read_only=True) as image:
                parent = self._parent(image)
                snapshot = image.get_parent_image_spec()["snap_name"] if parent[1] else None
                return *parent, image.id(), any(True for _ in image.list_snaps()), (parent[1], snapshot)

        nothing = "", None, None, False, (None, None)
        if not self.images.exists(name):
            return nothing
        try:
            return patiently(found, rbd.ImageNotFound, OPENING)
        except rbd.ImageNotFound:
            return nothing  # half removed

    def _parent(self, image):
        """(name of the parent, its id if it is in this pool)."""
        try:
            spec = image.get_parent_image_spec()
            return spec["image_name"], image.parent_id() if spec["pool_name"] == self.pool.name else None
        except rbd.ImageNotFound:
            return "", None

    def _drop_cinders(self, name, parent, snapshot):
        """Remove the snapshot of the parent that Cinder made for this clone alone, and kept as long as the clone."""
        if snapshot == name + TEMPORARY:
            with contextlib.suppress(Failure, rbd.ImageNotFound), rbd.Image(self.pool.ioctx, image_id=parent) as image:
                self._remove_snapshot(image, snapshot)

    def take_over_deleted(self):
        """Move to the trash what Cinder renamed when it was deleted because clones needed it: it goes with the last."""
        for one in self.librbd.list2(self.pool.ioctx):
            if DELETED.fullmatch(one["name"]):
                with self.pool.locks(one["name"], f"trash/{one['id']}"), contextlib.suppress(rbd.ImageNotFound):
                    self._take_over(**one)

    def _take_over(self, id, name):
        self.pool.note(f"trash/{id}", due=time.time())
        try:
            self.images.once_unwatched(id, lambda: self.librbd.trash_move(self.pool.ioctx, name, 0), 0)
        except rbd.ImageBusy:
            LOG.warning("%s is open on %s: it is taken over at the next start", name, self._watchers(name))

    def _watchers(self, name):
        with rbd.Image(self.pool.ioctx, name, read_only=True) as image:
            return ", ".join(one["addr"] for one in image.watchers_list())

    def delete_snapshot(self, name, snapshot):
        """Remove a snapshot, from an image in the trash too.

        Clones of the old format, which Cinder makes in older clusters, are made independent of it first.
        """
        try:
            with self.pool.locks(name):
                id = self._without(name, snapshot)
        except OldClones as error:
            for pool, clone in error.clones:
                if pool == self.pool.name:
                    self._flatten_image(clone)
            with self.pool.locks(name):
                id = self._without(name, snapshot)
        if id is not None:
            self._purge(id)

    def _without(self, name, snapshot):
        """The id of the image of that name, None when there is none, once the snapshot has gone."""
        try:
            with self.images.anywhere(name) as image:
                if has(image, snapshot):
                    self._remove_snapshot(image, snapshot)
                return image.id()
        except NotThere:
            return None

    @staticmethod
    def _remove_snapshot(image, snapshot):
        try:
            if image.is_protected_snap(snapshot):
                image.unprotect_snap(snapshot)
            image.remove_snap(snapshot)
        except rbd.ImageNotFound:
            return
        except rbd.ImageBusy as error:
            image.set_snap(snapshot)
            raise OldClones(snapshot, list(image.list_children())) from error

    # -- what nobody waits for

    def run_maintenance(self, interval=None):
        """Begin to flatten and purge what is due, unless that is under way. `interval` is that of purges, in seconds."""
        if self._tending.acquire(blocking=False):
            threading.Thread(target=self._tend, args=(interval,), daemon=True).start()

    def _tend(self, interval):
        try:
            now = time.monotonic()
            if interval is None or self._purged_at is None or now - self._purged_at >= interval:
                self._purged_at = now
                self._each("trash/", self._purge)
            self._each("flatten/", self._flatten)
        except (rbd.Error, rados.Error, Failure) as error:
            LOG.warning("tending pool %s stopped, goes on at the next measurement: %s", self.pool.name, error)
        finally:
            self._tending.release()

    def _each(self, prefix, work):
        """Do the work for what is in the journal under the prefix; what fails holds up no other."""
        for key in self.pool.noted(prefix):
            try:
                work(key.removeprefix(prefix))
            except (rbd.Error, rados.Error, Failure) as error:
                LOG.warning("%s of pool %s is tried again at the next measurement: %s", key, self.pool.name, error)

    def _purge(self, id):
        """Remove an image from the trash if it is this backend's and nothing needs it, and then its parent likewise."""
        while id is not None:
            names = next(([one["name"]] for one in self.librbd.trash_list(self.pool.ioctx) if one["id"] == id), [])
            with self.pool.locks(f"trash/{id}", *names):
                if names and not self.images.listed(*names):
                    self._arrived(id)
                id = self._purge_one(id, f"trash/{id}")

    def _arrived(self, id):
        """Have librbd take an image to be in the trash that was cut off on its way there, after it had lost its name."""
        with contextlib.suppress(rados.Error):  # it is being removed already, or has gone
            self.pool.ioctx.execute("rbd_trash", "rbd", "trash_state_set", encoded(id) + bytes((NORMAL, MOVING)))

    def _purge_one(self, id, key):
        """The id of the image's parent if the image has gone and its parent may have to go as well, else None."""
        noted = self.pool.noted(key).get(key)
        if noted is None or noted["due"] > time.time():
            return None
        parent = None
        try:
            with rbd.Image(self.pool.ioctx, image_id=id) as image:
                _, parent = self._parent(image)
                if self._needed(image):
                    return None
        except rbd.ImageNotFound:
            # Gone, or half removed: librbd signs a clone off at its parent, which may have gone since and without which
            # the clone cannot be opened, but can be removed. What has snapshots it refuses to remove.
            pass
        except rbd.ImageBusy:
            return None
        try:
            self.images.once_unwatched(id, lambda: self.librbd.trash_remove(self.pool.ioctx, id), 0)
        except rbd.ImageNotFound:
            if any(one["id"] == id for one in self.librbd.trash_list(self.pool.ioctx)):
                return None  # a snapshot went while the image was being opened
            parent = None  # taken out of the trash, or gone
        except (rbd.ImageBusy, rbd.ImageHasSnapshots, rbd.PermissionError):
            return None
        self.pool.strike(key)
        return parent

    @classmethod
    def _needed(cls, image):
        """Whether the image has snapshots. Those that were for clones alone are removed first when there are none.

        Of RBD's second format they are left when librbd was killed as the last clone went; of the first, always.
        """
        needed = False
        for snapshot in list(image.list_snaps()):
            for_clones = snapshot["namespace"] == rbd.RBD_SNAP_NAMESPACE_TYPE_TRASH or (
                snapshot["name"].endswith(TEMPORARY))
            if for_clones and not cls._children(image, snapshot["id"]):
                if snapshot["namespace"] == rbd.RBD_SNAP_NAMESPACE_TYPE_TRASH:
                    image.remove_snap_by_id(snapshot["id"])
                else:
                    cls._remove_snapshot(image, snapshot["name"])
            else:
                needed = True
        return needed

    @staticmethod
    def _children(image, snapshot_id):
        image.set_snap_by_id(snapshot_id)
        try:
            return list(image.list_children2())
        finally:
            image.set_snap(None)

    def _flatten(self, name):
        with self.pool.locks(name):
            there = self.images.exists(name)
        if there:
            self._flatten_image(name)
        self.pool.strike(f"flatten/{name}")

    def _flatten_image(self, name):
        def progress(done, whole):
            return -rbd.ECANCELED if name in self._cancelled else 0

        with rbd.Image(self.pool.ioctx, name) as image:
            of, parent = self._parent(image)
            if not of:
                return
            with contextlib.suppress(rbd.OperationCanceled):
                image.flatten(on_progress=progress)
        if parent is not None:
            self._purge(parent)
