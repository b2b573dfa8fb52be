"""A backup store that keeps every object as one file of one directory."""

import contextlib
import os
import urllib.parse

from oslo_config import cfg

from cinder_lite.backup.stores import base


class FlatStore(base.Store):
    """Objects are files below `outside_backups`, their names written so that they have no slashes."""

    OPTIONS = (cfg.StrOpt("outside_backups", help="Directory of the objects."),)

    def check(self):
        try:
            os.makedirs(self.options.outside_backups, exist_ok=True)
        except OSError as error:
            raise base.StoreError(f"{self.options.outside_backups} cannot be made: {error.strerror}") from error

    def container(self, backup_id):
        return "outside"

    def _path(self, name):
        return os.path.join(self.options.outside_backups, urllib.parse.quote(name, safe=""))

    @contextlib.contextmanager
    def _opened(self, name):
        try:
            with open(self._path(name), "rb") as file:
                yield file
        except FileNotFoundError:
            raise base.ObjectMissing(name) from None

    def put(self, name, parts):
        part = f"{self._path(name)}.part"
        try:
            with open(part, "wb") as file:
                size = sum(map(file.write, parts))
                file.flush()
                os.fsync(file.fileno())
            os.rename(part, self._path(name))
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(part)
        return size

    def get(self, name, offset=0, size=None):
        with self._opened(name) as file:
            file.seek(offset)
            return file.read(-1 if size is None else size)

    def size(self, name):
        with self._opened(name) as file:
            return os.fstat(file.fileno()).st_size

    def delete(self, name):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path(name))

    def names(self, folder):
        files = [file for file in os.listdir(self.options.outside_backups) if not file.endswith(".part")]
        found = map(urllib.parse.unquote, files)
        return [name for name in found if name.startswith(f"{folder}/")]
