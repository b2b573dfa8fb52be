"""Backup stores for tests: one in memory, one that counts calls, and one that fails at a given call."""

import types

from cinder_lite import concurrency
from cinder_lite.backup.stores import base, posix


def directory(path, container=None):
    """A posix store below a directory."""
    return posix.PosixStore(types.SimpleNamespace(backup_posix_path=str(path), backup_container=container))


class MemoryStore(base.Store):
    """Objects in a dict, with the minimal interface of a store."""

    def __init__(self):
        super().__init__(None)
        self.objects = {}

    def check(self):
        pass

    def container(self, backup_id):
        return "volumebackups"

    def put(self, name, parts):
        self.objects[name] = b"".join(parts)
        return len(self.objects[name])

    def get(self, name, offset=0, size=None):
        end = None if size is None else offset + size
        return self._object(name)[offset:end]

    def size(self, name):
        return len(self._object(name))

    def delete(self, name):
        self.objects.pop(name, None)

    def names(self, folder):
        return iter([name for name in self.objects if name.startswith(folder + "/")])

    def _object(self, name):
        try:
            return self.objects[name]
        except KeyError:
            raise base.ObjectMissing(name) from None


class Crash(Exception):
    """The process is gone."""


class MortalStore(MemoryStore):
    """A store over a dict of objects that survives it. It counts modifying calls and dies at the n-th.

    `after` selects whether that call still takes effect. After that all calls fail, as after a kill.
    """

    def __init__(self, objects, dies_at=None, after=False):
        super().__init__()
        self.objects, self.dies_at, self.after = objects, dies_at, after
        self.calls, self.puts, self.gets, self.dead = 0, [], [], False
        self._lock = concurrency.native("threading").Lock()

    def _change(self, call, *args):
        with self._lock:
            if self.dead:
                raise Crash
            self.calls += 1
            self.dead = self.calls == self.dies_at
            if self.dead and not self.after:
                raise Crash
        result = call(*args)
        if self.dead:
            raise Crash
        return result

    def put(self, name, parts):
        parts = list(parts)
        size = self._change(super().put, name, parts)
        self.puts.append(name)
        return size

    def delete(self, name):
        return self._change(super().delete, name)

    def get(self, name, offset=0, size=None):
        if self.dead:
            raise Crash
        self.gets.append(name)
        return super().get(name, offset, size)
