"""The file driver with gates: a test holds calls up, or makes them fail, from outside by files in the volumes' directory."""

import os
import time

from cinder_lite.volume.drivers import base
from cinder_lite.volume.drivers.file import FileDriver


class GatedDriver(FileDriver):
    """While a file `.hold-METHOD` exists in the directory, calls of that method wait; `.fail-METHOD` makes them fail."""

    def _pass(self, method):
        directory = self.options.file_volume_dir
        while os.path.exists(os.path.join(directory, f".hold-{method}")):
            time.sleep(0.02)
        if os.path.exists(os.path.join(directory, f".fail-{method}")):
            raise base.DriverError(f"{method} was made to fail")

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

    def snapshot_path(self, snapshot):
        self._pass("snapshot_path")
        return super().snapshot_path(snapshot)
