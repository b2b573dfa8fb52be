"""The storage of a world: files behind a driver whose calls may fail, an iSCSI target in memory, and a backup store.

What is stored belongs to the world, and outlives the nodes.
"""

import dataclasses
import os

from cinder_lite.api.views import manageable
from cinder_lite.backup import manager
from cinder_lite.backup.stores import base as stores
from cinder_lite.image import formats, record
from cinder_lite.volume.drivers import base as drivers
from cinder_lite.volume.drivers.file import FileDriver
from cinder_lite.volume.drivers.nfs import NfsDriver
from cinder_lite.volume.targets import base as targets
from cinder_lite.volume.targets import iscsi

#: The bytes of a GiB: the marks are in the first of them, and the others would only be copied.
GIB = 16 * 1024**2
#: The longest times in seconds that a call takes: in most worlds, and in those with slow backends.
CALL, SLOW_CALLS = 0.05, (0.5, 4.0)
#: What a fault does to a call: it fails before or after its work, or takes minutes.
FAILS, ANSWER_LOST, SLOW = "fails", "answer lost", "slow"
#: The seconds that a slow call takes.
SECONDS = 200
#: GiB of a pool.
CAPACITY = 60
#: The world of this process.
HERE = None
CALLS = ("create", "delete", "extend", "create_snapshot", "delete_snapshot", "clone", "from_snapshot", "revert",
         "manage", "manage_snapshot")


def install(here):
    """Prepare what a world stores, and use its GiB from now on."""
    global HERE
    HERE, here.portals, here.objects, here.latency = here, {}, {}, CALL
    for module in (drivers, record, formats, manageable, manager):
        module.GIB = GIB


def performed(kind, name, where, error, function):
    """The result of a call on the storage; a fault may raise `error` before or after the work."""
    HERE.fault = None
    HERE.reach(kind, HERE.latency, name, where)
    fault = HERE.fault
    if fault == FAILS:
        raise error("simulated: it failed")
    if fault == SLOW:
        HERE.sleep(SECONDS)
    result = function()
    HERE.reach(f"{kind} done", HERE.latency, name, where)
    if fault == ANSWER_LOST:
        raise error("simulated: the answer was lost")
    return result


class Driver(FileDriver):
    """Files in a directory of the world."""

    def run_maintenance(self):
        """Nothing to do."""

    def pools(self):
        """One pool of CAPACITY GiB, whatever the disk below has."""
        found, = super().pools()
        return (dataclasses.replace(found, total_gb=CAPACITY, free_gb=CAPACITY - found.provisioned_gb),)


def _call(name):
    original = getattr(FileDriver, name)

    def called(self, first, *rest):
        # The callers' reports of progress are steps as well.
        rest = [_stepping(one) if callable(one) else one for one in rest]
        return performed("driver", name, getattr(first, "name", str(first)), drivers.DriverError,
                         lambda: original(self, first, *rest))

    return called


def _stepping(progress):
    def report(done, whole):
        HERE.reach("copying", HERE.latency, done, whole)
        progress(done, whole)

    return report


for _name in CALLS:
    setattr(Driver, _name, _call(_name))


class SharedDriver(Driver, NfsDriver):
    """Files in a directory that both hosts share."""

    def clean_up(self):
        """Nothing: the ages of files are not in the time of the world."""


@dataclasses.dataclass(frozen=True)
class Exported:
    """What a portal offers under a name."""

    path: str
    identity: str
    auth: str | None
    read_only: bool


class Target(iscsi.IscsiTarget):
    """An iSCSI target in memory: one for each connection, with a secret of its own."""

    lun = 1
    #: All hosts reach the files by their paths.
    protocol = "simulated"
    same_host = False

    @property
    def _daemon(self):
        return HERE.portals.setdefault(os.path.dirname(os.path.dirname(self.state_path)), {})

    def export(self, name, path, export=None, read_only=False, connector=None):
        wanted = self.build_export(name, export)

        def work():
            self._state.write(name, "")
            self._daemon[self.iqn(name)] = Exported(path, targets.identity(path), wanted.auth, read_only)
            return wanted

        return performed("target", "export", name, targets.TargetError, work)

    def remove(self, name):
        def work():
            self._daemon.pop(self.iqn(name), None)
            self._state.remove(name)

        performed("target", "remove", name, targets.TargetError, work)

    def exported(self):
        names = {iqn.removeprefix(self.options.target_prefix) for iqn in self._daemon}
        return {name: True for name in names if name in self._state}

    def resize(self, name, path):
        def work():
            found = self._daemon.get(self.iqn(name))
            if found is not None:
                self._daemon[self.iqn(name)] = dataclasses.replace(found, identity=targets.identity(path))

        performed("target", "resize", name, targets.TargetError, work)


class Store(stores.Store):
    """A backup store in memory."""

    def check(self):
        pass

    def container(self, backup_id):
        return "backups"

    def put(self, name, parts):
        data = b"".join(parts)

        def work():
            HERE.objects[name] = data
            return len(data)

        return performed("store", "put", name, stores.StoreError, work)

    def get(self, name, offset=0, size=None):
        data = self._data(name)
        return data[offset:] if size is None else data[offset:offset + size]

    def size(self, name):
        return len(self._data(name))

    def _data(self, name):
        if name not in HERE.objects:
            raise stores.ObjectMissing(name)
        return HERE.objects[name]

    def delete(self, name):
        performed("store", "delete", name, stores.StoreError, lambda: HERE.objects.pop(name, None))

    def names(self, folder):
        yield from sorted(name for name in HERE.objects if name.startswith(f"{folder}/"))
