"""What lies on this host's backends and in its backup store: each object has a row, each row its object."""

import functools
import re
import uuid

from cinder_lite import concurrency, states
from cinder_lite.backup import cinder, manager, manifest, stores
from cinder_lite.backup.stores import base as store_base
from cinder_lite.db import audit
from cinder_lite.doctor import exports
from cinder_lite.doctor.finding import Finding, NotRepaired
from cinder_lite.volume import backends
from cinder_lite.volume.drivers import base as drivers

OBJECT = re.compile(r"(volume|snapshot)-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")
STORED = re.compile(r"(.+)/backup_([0-9a-f-]{36})/(.+)")
#: Statuses in which a resource may or may not be on its backend.
UNSURE = {states.CREATING, states.DELETING, states.ERROR, *(
    action.failed for action in (*states.VOLUME_ACTIONS, *states.SNAPSHOT_ACTIONS) if action.doing == states.DELETING)}


class Places:
    """What this host's configuration leads to, and what was listed there last. Listing only reads."""

    def __init__(self, conf):
        self.conf = conf
        self.backends = [backends.Backend(conf, section) for section in conf.enabled_backends]
        self.store = stores.load(conf)
        self.adopted = cinder.Adopted(self.store, conf)
        self.found, self.stored, self.exported, self._notes = {}, {}, {}, {}

    def list(self, containers):
        """Look what is there: {backend name: names}, and {(container, backup id): has a manifest}.

        `containers` are those that backups are known to be in.
        """
        self.found, self.stored, self._notes = {}, {}, {}
        for backend in self.backends:
            try:
                self.found[backend.name] = backend.call(_names, backend.driver)
            except drivers.DriverError as error:
                self._notes[backend.name] = f"backend {backend.name} was not looked at: {error}"
        self.exported = exports.list_exports(self, self._notes)
        concurrency.in_thread(self._list_store, sorted(self._folders(containers)))

    def _folders(self, containers):
        """Containers that were named, and the first digits of ids, below which the others are."""
        digits = {f"{n:02x}" for n in range(256)}
        named = {self.conf.backup_container} if "backup_container" in self.conf else set()
        return digits | {name for name in named | set(containers) if name and name.split("/")[0] not in digits}

    def _list_store(self, folders):
        for folder in folders:
            try:
                self._list_folder(folder)
            except store_base.StoreError as error:
                self._notes[folder] = f"container {folder} of the backup store was not looked at: {error}"

    def _list_folder(self, folder):
        for name in self.store.names(folder):
            parts = STORED.fullmatch(name)
            if parts:
                container, id, rest = parts.groups()
                self.stored[container, id] = self.stored.get((container, id), False) or rest == "manifest"

    def notes(self):
        """What could not be looked at, and why."""
        return list(self._notes.values())

    def driver(self, backend_name):
        return next(backend.driver for backend in self.backends if backend.name == backend_name)


def _names(driver):
    """The names on a backend; None where the driver keeps none and takes every volume to be there."""
    found = frozenset(name for name, _ in driver.names())
    invented = drivers.Volume(id=str(uuid.uuid4()), size=1)
    return None if not found and driver.exists(invented) else found


def _expected(tx, backend_name):
    """Names that may be on the backend: its volumes, their snapshots, and what running backups have frozen."""
    frozen = [id for id, row in audit.backup_rows(tx).items() if row.status == states.CREATING]
    for job in audit.live_jobs(tx):
        if job.action == "upload_in_use":
            frozen.append(job.id)
        elif job.action == "remove_copy":
            frozen.append(job.args["copy_id"])
    return {*(f"volume-{id}" for id in (*audit.placed(tx, backend_name), *audit.moving(tx, backend_name))),
            *(f"snapshot-{id}" for id in (*audit.snapshots_placed(tx, backend_name), *frozen))}


def unknown_objects(look):
    """An object on a backend that has no row."""
    for backend, names in look.places.found.items():
        for name in sorted((names or set()) - _expected(look.tx, backend)):
            if OBJECT.fullmatch(name):
                yield Finding("object without row", (backend, name), f"{name} is on {backend}, but has no row",
                              "deletes it only with --delete-orphans; 'cinder manage' takes it over",
                              functools.partial(_delete_object, look.places, backend, name), orphan=True)


def _delete_object(places, backend_name, name, database, _conf):
    with audit.moment(database) as tx:
        if name in _expected(tx, backend_name):
            return ""
    driver = places.driver(backend_name)
    kind, id = OBJECT.fullmatch(name).groups()
    volume = drivers.Volume(id=id, size=0)
    try:
        if kind == "volume":
            concurrency.in_thread(driver.delete, volume)
        else:
            concurrency.in_thread(driver.delete_snapshot, drivers.Snapshot(id=id, size=0, volume=volume))
    except drivers.DriverError as error:
        raise NotRepaired(f"{name} is still on {backend_name}: {error}") from error
    return f"deleted {name} from {backend_name}"


def missing_objects(look):
    """A volume or snapshot that should be on a backend and is not there."""
    for backend, names in look.places.found.items():
        if names is None:
            continue
        for id, row in audit.placed(look.tx, backend).items():
            if f"volume-{id}" not in names and row.launched_at is not None and row.status not in UNSURE:
                yield _missing(backend, "volume", row)
        for id, row in audit.snapshots_placed(look.tx, backend).items():
            if f"snapshot-{id}" not in names and row.status not in UNSURE:
                yield _missing(backend, "snapshot", row)


def _missing(backend, kind, row):
    return Finding("row without object", (backend, kind, row.id),
                   f"{kind} {row.id} is {row.status}, but is not on {backend}",
                   "look whether its disk is mounted; otherwise the data is lost: restore it from a backup and delete it")


def _places(tx):
    """Where the backups' objects are, by their rows."""
    return {manifest.Place.of(row) for row in audit.backup_rows(tx).values()}


def unknown_backups(look):
    """Objects of a backup in the store that has no row."""
    places, ids = _places(look.tx), audit.backup_rows(look.tx)
    for container, id in sorted(look.places.stored):
        if id not in ids and manifest.Place(id, container) not in places:
            yield Finding("stored backup without row", (container, id),
                          f"the store has a backup {id} in {container}, but it has no row",
                          "deletes it only with --delete-orphans",
                          functools.partial(_delete_backup, look.places, container, id), orphan=True)


def _delete_backup(places, container, id, database, _conf):
    with audit.moment(database) as tx:
        if id in audit.backup_rows(tx) or manifest.Place(id, container) in _places(tx):
            return ""
    try:
        concurrency.in_thread(manifest.delete, places.store, manifest.Place(id, container))
    except store_base.StoreError as error:
        raise NotRepaired(f"backup {id} is still in the store: {error}") from error
    return f"deleted what the store had of backup {id}"


def missing_backups(look):
    """A backup of this host that is available, but not whole in the store."""
    for id, row in audit.backup_rows(look.tx).items():
        place = manifest.Place.of(row)
        if row.status in UNSURE or row.host != look.conf.host or look.places.stored.get((place.container, place.backup_id)):
            continue
        if row.container is None or not concurrency.in_thread(_exists, look.places, row):
            yield Finding("backup without manifest", (id,),
                          f"backup {id} is {row.status}, but the store has no manifest of it in {row.container}",
                          "look whether the store is mounted; otherwise the backup is lost: make a new one, delete this")


def _exists(places, row):
    try:
        return manager.exists(places.store, places.adopted, row)
    except store_base.StoreError:
        return True  # what cannot be looked at is not missed
