"""Checks that each connection of this host's backends has its export, and each export its connections."""

import functools
from collections.abc import Iterator

from cinder_lite import concurrency, db, states
from cinder_lite.db import audit, connections
from cinder_lite.doctor.finding import Finding, NotRepaired
from cinder_lite.doctor.state import State
from cinder_lite.volume.targets import base as targets


def _named(tx, backend_name):
    """The names of exports that connections have, or may have."""
    return {one.export_name for one in connections.of_backend(tx, backend_name)}


def lost_connections(state: State) -> Iterator[Finding]:
    """Connections whose volume does not exist."""
    for row in audit.of_gone_volumes(state.tx, connections.C):
        yield Finding("connection without volume", (row.id,),
                      f"connection {row.id} is to volume {row.volume_id}, which does not exist",
                      "deletes the connection", functools.partial(_remove, row.id))


@db.retried
def _remove(id, database, _conf):
    with database.write() as tx:
        gone = audit.of_gone_volumes(tx, connections.C, id)
        for row in gone:
            connections.delete(tx, row)
        return f"deleted connection {id}" if gone else ""


def unknown_exports(state: State) -> Iterator[Finding]:
    """Exports without a connection."""
    for backend, names in state.inventory.exported.items():
        for name in sorted(names - _named(state.tx, backend)):
            yield Finding("export without connection", (backend, name),
                          f"{backend} exports {name}, to which no host is connected", "removes the export",
                          functools.partial(_remove_export, state.inventory, backend, name))


def _remove_export(inventory, backend_name, name, database, _conf):
    with database.read() as tx:
        if name in _named(tx, backend_name):
            return ""
    try:
        concurrency.in_thread(inventory.backend(backend_name).target.remove, name)
    except targets.TargetError as error:
        raise NotRepaired(f"{name} is still exported by {backend_name}: {error}") from error
    return f"removed the export {name} of {backend_name}"


def missing_exports(state: State) -> Iterator[Finding]:
    """Established connections whose volume is not exported."""
    for backend, names in state.inventory.exported.items():
        for row in connections.of_backend(state.tx, backend):
            if row.state == states.CONNECTED and row.export_name not in names:
                yield Finding("connection without export", (row.id,),
                              f"volume {row.volume_id} is connected to {row.host or row.initiator or 'a host'}, but "
                              f"{backend} does not export it", "makes the volume service export it again",
                              functools.partial(_export_again, row.id))


@db.retried
def _export_again(id, database, _conf):
    with database.write() as tx:
        row = connections.find(tx, id)
        if row is None or row.state != states.CONNECTED:
            return ""
        connections.write(tx, row, state=states.RENEWING, generation=row.generation + 1)
        return f"requested a new export for connection {id}"
