"""A file driver, a target and a backup store whose calls a test can block or fail, with files in a directory."""

import os
import time

from cinder_lite.backup.stores.posix import PosixStore
from cinder_lite.volume.drivers import base
from cinder_lite.volume.drivers.file import FileDriver
from cinder_lite.volume.drivers.nfs import NfsDriver
from cinder_lite.volume.targets import base as targets
from cinder_lite.volume.targets.nbd import NbdTarget


class GatedDriver(FileDriver):
    """While a file `.hold-METHOD` exists in the directory, calls of that method wait; `.fail-METHOD` makes them
    fail."""

    def _pass(self, method):
        directory = self.options.file_volume_dir
        while os.path.exists(os.path.join(directory, f".hold-{method}")):
            time.sleep(0.02)
        if os.path.exists(os.path.join(directory, f".fail-{method}")):
            raise base.DriverError(f"{method} was made to fail")

    def check(self):
        self._pass("check")
        super().check()

    def create(self, volume):
        self._pass("create")
        return super().create(volume)

    def clone(self, volume, source, progress):
        self._pass("clone")
        return super().clone(volume, source, progress)

    def extend(self, volume, new_size):
        self._pass("extend")
        return super().extend(volume, new_size)

    def create_snapshot(self, snapshot):
        self._pass("create_snapshot")
        return super().create_snapshot(snapshot)

    def manage(self, volume, reference):
        self._reach("manage")
        facts = super().manage(volume, reference)
        self._reach("managed")
        return facts

    def _reach(self, place):
        """A gate that creates the file `.at-PLACE` when it is reached."""
        with open(os.path.join(self.options.file_volume_dir, f".at-{place}"), "w"):
            pass
        self._pass(place)

    def delete_snapshot(self, snapshot):
        self._pass("delete_snapshot")
        return super().delete_snapshot(snapshot)

    def snapshot_path(self, snapshot):
        self._pass("snapshot_path")
        return super().snapshot_path(snapshot)


class GatedNfsDriver(NfsDriver):
    """The NFS driver, whose creates wait while `.hold-create` exists and then leave `.at-create`."""

    def create(self, volume):
        while os.path.exists(os.path.join(self.directory, ".hold-create")):
            open(os.path.join(self.directory, ".at-create"), "w").close()
            time.sleep(0.02)
        return super().create(volume)


class GatedTarget(NbdTarget):
    """The same for a target: the files lie in the directory of its state, and `.at-METHOD` when a call has waited
    there."""

    def _pass(self, method):
        while os.path.exists(os.path.join(self.state_path, f".hold-{method}")):
            open(os.path.join(self.state_path, f".at-{method}"), "w").close()
            time.sleep(0.02)
        if os.path.exists(os.path.join(self.state_path, f".fail-{method}")):
            raise targets.TargetError(f"{method} was made to fail")

    def export(self, name, path, export=None, read_only=False, connector=None):
        self._pass("before-export")
        made = super().export(name, path, export, read_only, connector)
        self._pass("export")
        return made

    def remove(self, name):
        self._pass("before-remove")
        super().remove(name)
        self._pass("remove")


class GatedStore(PosixStore):
    """The same for a store: its check waits while `.hold-check` exists in its directory."""

    def check(self):
        while os.path.exists(os.path.join(self.root, ".hold-check")):
            time.sleep(0.02)
        super().check()
