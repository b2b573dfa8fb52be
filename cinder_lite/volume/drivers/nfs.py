"""The NFS driver: volumes are files in a shared directory, which the hosts that use them mount themselves.

Connection information has the form that os-brick's connector for NFS expects.
"""

import contextlib
import dataclasses
import os

from oslo_config import cfg

from cinder_lite.blockio import naming
from cinder_lite.concurrency import clock, randomness
from cinder_lite.volume.drivers import base, file

OPTIONS = (
    *file.OPTIONS,
    cfg.StrOpt("nas_host", help="Name or address of the NFS server, as the hosts that use the volumes reach it."),
    cfg.StrOpt("nas_share_path", help="Exported directory of the NFS server, which is mounted at file_volume_dir on "
                                      "each host with a volume or backup service."),
    cfg.StrOpt("nas_mount_options", help="Mount options for the hosts that use the volumes, such as vers=4.2."),
)

#: The file that tells whose storage the directory is.
MARK = ".cinder-lite-cluster"
#: Age of an incomplete file, in seconds, at which surely no host is writing to it any more.
ABANDONED = 86400


class NfsDriver(file.FileDriver, base.Connects, base.Shared):
    """Sparse files with Cinder's names of volumes in a directory that all hosts mount.

    Every host that mounts the share can open every file: the server's export list is the only limit.
    """

    OPTIONS = OPTIONS
    protocol = "nfs"
    #: Nova's hosts open the files as a member of the owner's group.
    mode = 0o660

    def check(self) -> None:
        """As for files; besides, nas_host and nas_share_path are required."""
        for option in ("nas_host", "nas_share_path"):
            if not self.options[option]:
                raise base.BackendDown(f"{option} of {self.backend} is not set: hosts could not mount the share")
        super().check()

    def join(self, cluster: str, id: str | None) -> str:
        """The id is in a file of the directory, which is missing while the share is not mounted."""
        path = os.path.join(self.directory, MARK)
        with file.as_driver_errors(f"cannot identify {self.directory}"):
            if id is None and not os.path.lexists(path):
                self._mark(path, f"{cluster} {randomness.new_id()}\n")
            found: list[str] = []
            with contextlib.suppress(FileNotFoundError), open(path) as mark:
                found = mark.read().split()
        if len(found) != 2 or found[0] != cluster or id not in (None, found[1]):
            raise base.BackendDown(
                f"{self.directory} (file_volume_dir of {self.backend}) is not the storage of the cluster {cluster}: "
                f"{MARK} there is {' '.join(found) or 'missing'}, not {cluster} {id or 'ID'}; mount the share of the "
                "cluster there")
        return found[1]

    def _mark(self, path, text):
        part = f"{path}.{randomness.token_hex(8)}"
        with open(part, "x") as made:
            made.write(text)
            made.flush()
            os.fsync(made.fileno())
        with contextlib.suppress(FileExistsError):
            naming.name_new(part, path)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part)

    def clean_up(self) -> None:
        """Remove incomplete files that no service, on this host or another, is writing to."""
        with file.as_driver_errors(f"cannot clean up {self.directory}"):
            for folder in self.incomplete():
                if _is_abandoned(folder):
                    file.remove_part(folder)

    def pools(self) -> tuple[base.PoolStats, ...]:
        """As for files; hosts do not notice that a file grows while it is attached."""
        return tuple(dataclasses.replace(one, online_extend=False) for one in super().pools())

    def connection(self, volume: base.Volume, connector: dict | None) -> dict:
        """The share and the name of the volume's file."""
        options = self.options.nas_mount_options
        return {"driver_volume_type": "nfs", "data": {
            "export": f"{self.options.nas_host}:{self.options.nas_share_path}", "name": volume.name, "format": "raw",
            "options": f"-o {options}" if options else None, "volume_id": volume.id, "discard": False}}

    def disconnect(self, volume: base.Volume, connector: dict | None) -> None:
        """Nothing to undo: hosts mount the share themselves."""

    def content(self, volume: base.Volume) -> dict:
        return {"path": self.path(volume)}

    def snapshot_content(self, snapshot: base.Snapshot) -> dict:
        return {"path": self.snapshot_path(snapshot)}


def _is_abandoned(folder):
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
        return all(clock.time() - entry.stat().st_mtime > ABANDONED for entry in entries)
    return False
