"""Removes images and snapshots, also those with clones, and purges and flattens images in the background.

With clones of format 2, a snapshot with clones is removed automatically with the last of them. An image with such
snapshots, or with others, moves to the pool's trash. The journal has it as `trash/ID`, so that images in the trash that
belong to others are not touched; it is purged when no clone needs it. Images to be flattened are `flatten/NAME`.
"""

import contextlib
import logging
import re
import threading
import time
from collections.abc import Sequence

import rados
import rbd

from cinder_lite.volume.drivers.rbd.cinder_backups import backups_in
from cinder_lite.volume.drivers.rbd.cluster import Pool, retry
from cinder_lite.volume.drivers.rbd.images import TEMPORARY, ImageMissing, Images, encoded, has
from cinder_lite.volume.drivers.rbd.protocol import Failure

#: Seconds for retries of opening an image whose snapshots are being removed.
OPEN_TIMEOUT = 2

#: Cinder's name of a deleted volume that clones depend on.
DELETED = re.compile(r"volume-[0-9a-f-]{36}\.deleted")

#: librbd's states of an image in the trash.
NORMAL, MOVING = 0, 1

LOG = logging.getLogger(__name__)


class OldClones(Failure):
    """A snapshot with clones of format 1; `clones` are (pool, image)."""

    def __init__(self, snapshot: str, children: Sequence[tuple[str, str]]) -> None:
        names = ", ".join(f"{pool}/{child}" for pool, child in children)
        super().__init__(f"snapshot {snapshot} is protected for clones of format 1: {names}; flatten these "
                         "('rbd flatten'), or create them again", "busy")
        self.clones = children


class Removal:
    """The calls that remove images and snapshots."""

    CALLS = ("delete", "delete_snapshot", "run_maintenance", "tend", "take_over_deleted")

    def __init__(self, pool: Pool) -> None:
        self.pool, self.images, self.librbd = pool, Images(pool), rbd.RBD()
        self._maintaining = threading.Lock()
        self._cancelled: set[str] = set()
        self._purged_at: float | None = None

    def delete(self, name: str, delay: float | None = None) -> None:
        """Remove an image; with a `delay` it stays in the trash for at least that many seconds."""
        begun = self.images.begun(name)
        self._cancelled.add(name)
        try:
            # Removing a clone removes its parent's snapshot, and librbd aborts if two of one image are removed at once.
            source, _, id, _, origin = self._facts(name)
            with self.pool.locks(name, (begun or {}).get("source", ""), source):
                self.images.remove_incomplete(name, begun)
                parent = None if self.images.moved_to_trash(name) else self._delete(name, delay)
                self._drop_clone_snapshot(name, *origin)
                self.pool.strike(f"flatten/{name}", f"writing/{id}")
        finally:
            self._cancelled.discard(name)
        if parent is not None and delay is None:
            self._purge(parent)

    def _delete(self, name, delay):
        """Remove the image, or move it to the trash. Returns the id of the parent, which may have to be purged too."""
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
        """Remove snapshots that Cinder took for backups in Ceph. Returns whether the image has other snapshots."""
        with rbd.Image(self.pool.ioctx, name) as image:
            for snapshot in backups_in(image).values():
                image.remove_snap(snapshot)
            return any(True for _ in image.list_snaps())

    def _facts(self, name):
        """(parent's name, its id if it is in this pool, own id, whether it has snapshots, (parent's id, snapshot))."""
        def found():
            with rbd.Image(self.pool.ioctx, name, read_only=True) as image:
                parent = self._parent(image)
                snapshot = image.get_parent_image_spec()["snap_name"] if parent[1] else None
                return *parent, image.id(), any(True for _ in image.list_snaps()), (parent[1], snapshot)

        nothing = "", None, None, False, (None, None)
        if not self.images.exists(name):
            return nothing
        try:
            return retry(found, rbd.ImageNotFound, OPEN_TIMEOUT)
        except rbd.ImageNotFound:
            return nothing  # half removed

    def _parent(self, image):
        """(parent's name, its id if it is in this pool)."""
        try:
            spec = image.get_parent_image_spec()
            return spec["image_name"], image.parent_id() if spec["pool_name"] == self.pool.name else None
        except rbd.ImageNotFound:
            return "", None

    def _drop_clone_snapshot(self, name, parent, snapshot):
        """Remove the parent's snapshot that Cinder took for this clone alone."""
        if snapshot == name + TEMPORARY:
            with contextlib.suppress(Failure, rbd.ImageNotFound), rbd.Image(self.pool.ioctx, image_id=parent) as image:
                self._remove_snapshot(image, snapshot)

    def take_over_deleted(self) -> None:
        """Move deleted volumes that Cinder only renamed, because clones needed them, to the trash."""
        for one in self.librbd.list2(self.pool.ioctx):
            if DELETED.fullmatch(one["name"]):
                with self.pool.locks(one["name"], f"trash/{one['id']}"), contextlib.suppress(rbd.ImageNotFound):
                    self._take_over(**one)

    def _take_over(self, id, name):
        self.pool.note(f"trash/{id}", due=time.time())
        try:
            self.images.once_unwatched(id, lambda: self.librbd.trash_move(self.pool.ioctx, name, 0), 0)
        except rbd.ImageBusy:
            LOG.warning("%s is open on %s: it is moved to the trash at the next start", name, self._watchers(name))

    def _watchers(self, name):
        with rbd.Image(self.pool.ioctx, name, read_only=True) as image:
            return ", ".join(one["addr"] for one in image.watchers_list())

    def delete_snapshot(self, name: str, snapshot: str) -> None:
        """Remove a snapshot, also of an image in the trash.

        Clones of format 1, which Cinder creates in older clusters, are flattened first.
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
        """Remove the snapshot. Returns the image's id, None if there is no image."""
        try:
            with self.images.anywhere(name) as image:
                if has(image, snapshot):
                    self._remove_snapshot(image, snapshot)
                return image.id()
        except ImageMissing:
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

    # -- background work

    def run_maintenance(self, interval: float | None = None) -> None:
        """Start flattening and purging due images, unless that is running. `interval` between purges is in seconds."""
        if self._maintaining.acquire(blocking=False):
            threading.Thread(target=self._maintain, args=(interval,), daemon=True).start()

    #: The call's name in the previous release, whose running service may start this file's process during an upgrade.
    tend = run_maintenance

    def _maintain(self, interval):
        try:
            now = time.monotonic()
            if interval is None or self._purged_at is None or now - self._purged_at >= interval:
                self._purged_at = now
                self._each("trash/", self._purge)
            self._each("flatten/", self._flatten)
        except (rbd.Error, rados.Error, Failure) as error:
            LOG.warning("maintenance of pool %s stopped, will be retried at the next measurement: %s", self.pool.name,
                        error)
        finally:
            self._maintaining.release()

    def _each(self, prefix, work):
        """Do the work for each journal entry with the prefix; a failure does not affect the others."""
        for key in self.pool.noted(prefix):
            try:
                work(key.removeprefix(prefix))
            except (rbd.Error, rados.Error, Failure) as error:
                LOG.warning("%s of pool %s will be retried at the next measurement: %s", key, self.pool.name, error)

    def _purge(self, id):
        """Remove an image from the trash if it is this backend's and unused, and then its parent likewise."""
        while id is not None:
            names = next(([one["name"]] for one in self.librbd.trash_list(self.pool.ioctx) if one["id"] == id), [])
            with self.pool.locks(f"trash/{id}", *names):
                if names and not self.images.listed(*names):
                    self._finish_move(id)
                id = self._purge_one(id, f"trash/{id}")

    def _finish_move(self, id):
        """Complete a move to the trash that was interrupted after the image's name was removed."""
        with contextlib.suppress(rados.Error):  # it is being removed already, or is gone
            self.pool.ioctx.execute("rbd_trash", "rbd", "trash_state_set", encoded(id) + bytes((NORMAL, MOVING)))

    def _purge_one(self, id, key):
        """Purge the image. Returns the id of its parent if that may have to be purged too, else None."""
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
            # Gone, or half removed: librbd detaches a clone from its parent first; if the parent is gone, the clone
            # cannot be opened, but can be removed. librbd refuses to remove images with snapshots.
            pass
        except rbd.ImageBusy:
            return None
        try:
            self.images.once_unwatched(id, lambda: self.librbd.trash_remove(self.pool.ioctx, id), 0)
        except rbd.ImageNotFound:
            if any(one["id"] == id for one in self.librbd.trash_list(self.pool.ioctx)):
                return None  # a snapshot was removed while the image was being opened
            parent = None  # restored from the trash, or gone
        except (rbd.ImageBusy, rbd.ImageHasSnapshots, rbd.PermissionError):
            return None
        self.pool.strike(key)
        return parent

    @classmethod
    def _needed(cls, image):
        """Whether the image has snapshots. Snapshots for clones are removed first if they have no clones.

        With format 2 they remain if librbd was killed while it removed the last clone; with format 1, always.
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
