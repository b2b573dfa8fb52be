"""Lists the objects and exports of this host's backends, and the objects in its backup store."""

import re
from collections.abc import Iterable, Mapping

from oslo_config import cfg

from cinder_lite import concurrency
from cinder_lite.backup import cinder, stores
from cinder_lite.backup.stores import base as store_base
from cinder_lite.concurrency import randomness
from cinder_lite.volume import backends
from cinder_lite.volume.drivers import base as drivers
from cinder_lite.volume.targets import base as targets

STORED = re.compile(r"(.+)/backup_([0-9a-f-]{36})/(.+)")


class Inventory:
    """The configured backends and backup store, and the result of the latest refresh(). Listing only reads.

    `objects` is {backend name: names of volumes and snapshots, None if the driver cannot list them}, `exported`
    {backend name: names of exports}, `stored` {(container, backup id): has a manifest}.
    """

    def __init__(self, conf: cfg.ConfigOpts):
        self.conf = conf
        self.backends = [backends.Backend(conf, section) for section in conf.enabled_backends]
        self.store = stores.load(conf)
        self.cinder_backups = cinder.CinderBackups(self.store, conf)
        self.objects: dict[str, frozenset[str] | None] = {}
        self.exported: dict[str, set[str]] = {}
        self.stored: dict[tuple[str, str], bool] = {}
        self._notes: dict[str, str] = {}

    def refresh(self, containers: Iterable[str], down: Mapping[tuple[str, str], str]) -> None:
        """List everything anew. `containers` are the containers that backups are known to be in.

        `down` is {(binary, host): reason} of services whose backend or store does not work, which is not listed.
        """
        self.objects, self.exported, self.stored = {}, {}, {}
        reasons = {backend.name: down.get(("cinder-volume", backend.name)) for backend in self.backends}
        self._notes = {name: f"backend {name} was not checked: {reason}" for name, reason in reasons.items() if reason}
        working = [backend for backend in self.backends if not reasons[backend.name]]
        for backend in working:
            try:
                self.objects[backend.name] = backend.call(_names, backend.driver)
            except drivers.DriverError as error:
                self._notes[backend.name] = f"backend {backend.name} was not checked: {error}"
        for backend in working:
            try:
                self._list_exports(backend)
            except targets.TargetError as error:
                subject = f"exports of backend {backend.name}"
                self._notes[subject] = f"{subject} were not checked: {error}"
        reason = down.get(("cinder-backup", self.conf.host))
        if reason:
            self._notes["store"] = f"the backup store was not checked: {reason}"
        else:
            concurrency.in_thread(self._list_store, sorted(self._folders(containers)))

    def _list_exports(self, backend):
        if backend.target is not None:
            # Without exports the target is not queried: its daemon may not be needed.
            own = set(backend.target.present())
            self.exported[backend.name] = own & set(backend.call(backend.target.exported)) if own else set()

    def _folders(self, containers):
        """The named containers, and the first two digits of ids, below which all other containers are."""
        digits = {f"{n:02x}" for n in range(256)}
        named = {self.conf.backup_container} if "backup_container" in self.conf else set()
        return digits | {name for name in named | set(containers) if name and name.split("/")[0] not in digits}

    def _list_store(self, folders):
        for folder in folders:
            try:
                self._list_folder(folder)
            except store_base.StoreError as error:
                self._notes[folder] = f"container {folder} of the backup store was not checked: {error}"

    def _list_folder(self, folder):
        for name in self.store.names(folder):
            parts = STORED.fullmatch(name)
            if parts:
                container, id, rest = parts.groups()
                self.stored[container, id] = self.stored.get((container, id), False) or rest == "manifest"

    def notes(self) -> list[str]:
        """Backends, exports and containers that could not be checked, with the reasons."""
        return list(self._notes.values())

    def backend(self, name: str) -> backends.Backend:
        return next(backend for backend in self.backends if backend.name == name)


def _names(driver):
    """The names of the objects on a backend; None for a driver that keeps no names and reports every volume as
    present."""
    found = frozenset(name for name, _ in driver.names())
    invented = drivers.Volume(id=randomness.new_id(), size=1)
    return None if not found and driver.exists(invented) else found
