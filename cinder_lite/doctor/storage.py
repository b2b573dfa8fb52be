"""Checks that each object on this host's backends and in its backup store has a database row, and each row its
object."""

import functools
import re
from collections.abc import Iterator

from cinder_lite import concurrency, states
from cinder_lite.backup import manager, manifest
from cinder_lite.backup.stores import base as store_base
from cinder_lite.db import audit
from cinder_lite.doctor.finding import Finding, NotRepaired
from cinder_lite.doctor.state import State
from cinder_lite.states import lookup
from cinder_lite.volume.drivers import base as drivers

OBJECT = re.compile(r"(volume|snapshot)-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")
ORPHANED = {"volume": "orphaned volume", "snapshot": "orphaned snapshot"}
MISSING = {"volume": "missing volume", "snapshot": "missing snapshot"}
#: Statuses in which a resource may be missing on its backend.
UNSURE = {states.CREATING, states.DELETING, states.ERROR, *(
    action.failed for kind, action in lookup.rows()
    if kind in ("volume", "snapshot") and action.doing == states.DELETING)}


def _expected(tx, backend_name):
    """Names that may be on the backend: its volumes, their snapshots, and temporary snapshots of running jobs."""
    temporary = [id for id, row in audit.backup_rows(tx).items() if row.status == states.CREATING]
    for job in audit.live_jobs(tx):
        if job.action == "upload_in_use":
            temporary.append(job.id)
        elif job.action == "remove_copy":
            temporary.append(job.args["copy_id"])
    return {*(f"volume-{id}" for id in (*audit.placed(tx, backend_name), *audit.moving(tx, backend_name))),
            *(f"snapshot-{id}" for id in (*audit.snapshots_placed(tx, backend_name), *temporary))}


def orphans(state: State) -> Iterator[Finding]:
    """Volumes and snapshots on a backend without a database row."""
    for backend, names in state.inventory.objects.items():
        for name in sorted((names or set()) - _expected(state.tx, backend)):
            if found := OBJECT.fullmatch(name):
                yield Finding(ORPHANED[found[1]], (backend, name), f"{name} is on {backend}, but has no database row",
                              "--delete-orphans deletes it; 'cinder manage' imports it",
                              functools.partial(_delete_object, state.inventory, backend, name), orphan=True)


def _delete_object(inventory, backend_name, name, database, _conf):
    with audit.moment(database) as tx:
        if name in _expected(tx, backend_name):
            return ""
    driver = inventory.backend(backend_name).driver
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


def missing_objects(state: State) -> Iterator[Finding]:
    """Volumes and snapshots that are missing on their backend."""
    for backend, names in state.inventory.objects.items():
        if names is None:
            continue
        for id, row in audit.placed(state.tx, backend).items():
            if f"volume-{id}" not in names and row.launched_at is not None and row.status not in UNSURE:
                yield _missing(backend, "volume", row)
        for id, row in audit.snapshots_placed(state.tx, backend).items():
            if f"snapshot-{id}" not in names and row.status not in UNSURE:
                yield _missing(backend, "snapshot", row)


def _missing(backend, kind, row):
    return Finding(MISSING[kind], (backend, kind, row.id),
                   f"{kind} {row.id} is {row.status}, but is not on {backend}",
                   "check that the backend's disks are mounted; if they are, the data is lost: restore it from a "
                   "backup and delete this one")


def _places(tx):
    """The places of all backups' objects, by their rows."""
    return {manifest.Place.of(row) for row in audit.backup_rows(tx).values()}


def orphaned_backups(state: State) -> Iterator[Finding]:
    """Backups in the store without a database row."""
    places, ids = _places(state.tx), audit.backup_rows(state.tx)
    for container, id in sorted(state.inventory.stored):
        if id not in ids and manifest.Place(id, container) not in places:
            yield Finding("orphaned backup", (container, id),
                          f"the backup store has a backup {id} in {container}, but it has no database row",
                          "--delete-orphans deletes it",
                          functools.partial(_delete_backup, state.inventory, container, id), orphan=True)


def _delete_backup(inventory, container, id, database, _conf):
    with audit.moment(database) as tx:
        if id in audit.backup_rows(tx) or manifest.Place(id, container) in _places(tx):
            return ""
    try:
        concurrency.in_thread(manifest.delete, inventory.store, manifest.Place(id, container))
    except store_base.StoreError as error:
        raise NotRepaired(f"backup {id} is still in the store: {error}") from error
    return f"deleted backup {id} from the store"


def missing_backups(state: State) -> Iterator[Finding]:
    """Available backups of this host whose manifest is missing in the store."""
    for id, row in audit.backup_rows(state.tx).items():
        place = manifest.Place.of(row)
        if row.status in UNSURE or row.host != state.conf.host or state.inventory.stored.get(
                (place.container, place.backup_id)):
            continue
        if row.container is None or not concurrency.in_thread(_exists, state.inventory, row):
            yield Finding("backup without manifest", (id,),
                          f"backup {id} is {row.status}, but the store has no manifest of it in {row.container}",
                          "check that the store is mounted; if it is, the backup is lost: create a new one and delete "
                          "this one")


def _exists(inventory, row):
    try:
        return manager.exists(inventory.store, inventory.cinder_backups, row)
    except store_base.StoreError:
        return True  # a backup that cannot be checked is not reported as missing
