"""Reads and deletes backups that Cinder keeps in this pool.

A backup of an RBD volume is a snapshot `backup.ID.snap.TIME` of an image that is shared by its incremental backups; a
backup of any other volume is an image without such snapshots. The object `backup.ID.meta` has JSON about the volume.
"""

import contextlib
import re

import rados
import rbd

from cinder_lite.volume.drivers.rbd.cluster import Pool
from cinder_lite.volume.drivers.rbd.images import Images, users_snapshots

SNAPSHOT = re.compile(r"backup\.([0-9a-z-]+)\.snap\..+")
MOST = 16 * 1024**2  # bytes read of an object


def backups_in(image: rbd.Image) -> dict[str, str]:
    """{backup id: snapshot name}; on a volume, the snapshots that Cinder took for its backups."""
    found = [SNAPSHOT.fullmatch(one["name"]) for one in users_snapshots(image)]
    return {match[1]: match[0] for match in found if match}


class CindersBackups:
    """The calls. `volume` and `backup` are ids, `base` is the image's name if Cinder recorded it, and `copied` whether
    the source was a snapshot."""

    CALLS = ("backup_image", "backup_record", "delete_backup")

    def __init__(self, pool: Pool) -> None:
        self.pool = pool

    def backup_image(self, volume: str, backup: str, base: str | None, copied: bool) -> list | None:
        """[image, snapshot] of a backup's content, the snapshot None for a copy; None if the backup does not exist."""
        for name in _names(volume, backup, base):
            there = self._there(name)
            if there is None:
                continue
            if backup in there:
                return [name, there[backup]]
            if not there and base is None and self._is_copy(name, volume, backup, copied):
                return [name, None]
        return None

    def _there(self, name):
        try:
            with rbd.Image(self.pool.ioctx, name, read_only=True) as image:
                return backups_in(image)
        except rbd.ImageNotFound:
            return None

    def _is_copy(self, name, volume, backup, copied):
        """Whether an image without snapshots is the copy of that backup."""
        return name == _own(volume, backup) or (copied and self.backup_record(backup) is not None)

    def backup_record(self, backup: str) -> str | None:
        """The JSON that Cinder wrote, None if there is none."""
        try:
            return self.pool.ioctx.read(_record(backup), MOST).decode()
        except rados.ObjectNotFound:
            return None

    def delete_backup(self, volume: str, backup: str, base: str | None, copied: bool) -> None:
        """Remove the backup's snapshot, and its image after the last one; a missing backup is not an error."""
        with self.pool.locks(*_names(volume, backup, base)):
            found = self.backup_image(volume, backup, base, copied)
            if found is None and base is not None and self._there(base) == {}:
                found = [base, None]  # interrupted after the last snapshot
            if found is not None:
                self._delete(*found)
            with contextlib.suppress(rados.ObjectNotFound):
                self.pool.ioctx.remove_object(_record(backup))

    def _delete(self, name, snapshot):
        if snapshot is not None:
            with rbd.Image(self.pool.ioctx, name) as image:
                image.remove_snap(snapshot)
                if backups_in(image):
                    return
        Images(self.pool).remove(name)


def _own(volume, backup):
    return f"volume-{volume}.backup.{backup}"


def _names(volume, backup, base):
    """The possible names of the backup's image; the last is that of old releases and of copies of snapshots."""
    return (base,) if base is not None else (_own(volume, backup), f"volume-{volume}.backup.base")


def _record(backup):
    return f"backup.{backup}.meta"
