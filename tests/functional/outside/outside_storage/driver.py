"""A driver that keeps each volume as a directory of pieces, and a copy of it in a second place."""

import os
import shutil

from oslo_config import cfg

from cinder_lite.volume.drivers import base
from outside_storage import pieces


class PiecesDriver(base.Driver, base.Connects, base.Replicates):
    """Volumes and snapshots are directories below `outside_directory`, those of replicated types twice."""

    OPTIONS = (cfg.StrOpt("outside_directory", help="Directory of the volumes."),
               cfg.StrOpt("outside_mirror", help="Directory of their copies."))
    protocol = "outside-pieces"

    def check(self):
        try:
            for directory in (self.options.outside_directory, self.options.outside_mirror):
                os.makedirs(directory, exist_ok=True)
        except OSError as error:
            raise base.BackendDown(f"{error.filename} cannot be made: {error.strerror}") from error

    def replication_targets(self):
        return (self.options.outside_mirror,)

    def pools(self):
        return (base.PoolStats(self.backend, "infinite", "infinite", thin=True),)

    def create(self, volume):
        replicated = volume.extra_specs.get("replication_enabled") == "<is> True"
        places = [self.options.outside_directory, *([self.options.outside_mirror] if replicated else [])]
        facts = {"directories": [os.path.join(place, volume.name) for place in places]}
        for directory in facts["directories"]:
            os.makedirs(directory, exist_ok=True)
        self._resize(facts, volume.size)
        return facts

    @staticmethod
    def _resize(facts, size):
        for directory in facts["directories"]:
            with open(os.path.join(directory, pieces.SIZE), "w") as file:
                file.write(str(size * base.GIB))

    def delete(self, volume):
        self._remove(volume.name)

    def extend(self, volume, new_size):
        self._resize(volume.facts, new_size)

    def create_snapshot(self, snapshot):
        return self._copy(snapshot.volume, snapshot.name)

    def delete_snapshot(self, snapshot):
        self._remove(snapshot.name)

    def clone(self, volume, source, progress):
        return self._filled(volume, source)

    def from_snapshot(self, volume, snapshot, progress):
        return self._filled(volume, snapshot)

    def _filled(self, volume, source):
        facts = self._copy(source, volume.name)
        self._resize(facts, volume.size)
        return facts

    def _copy(self, source, name):
        made = [os.path.join(os.path.dirname(directory), name) for directory in source.facts["directories"]]
        for directory, copy in zip(source.facts["directories"], made, strict=True):
            shutil.copytree(directory, copy, dirs_exist_ok=True)
        return {"directories": made}

    def _remove(self, name):
        for place in (self.options.outside_directory, self.options.outside_mirror):
            shutil.rmtree(os.path.join(place, name), ignore_errors=True)

    def names(self):
        return [(name, None) for name in os.listdir(self.options.outside_directory)]

    def content(self, volume):
        return {"outside": {"directories": volume.facts["directories"]}}

    def snapshot_content(self, snapshot):
        return {"outside": {"directories": snapshot.facts["directories"]}}

    def connection(self, volume, connector):
        return {"driver_volume_type": "outside-pieces", "data": {"directory": volume.facts["directories"][0]}}

    def disconnect(self, volume, connector):
        pass
