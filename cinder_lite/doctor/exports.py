"""What this host's backends export: each connection has its export, each export its connections."""

import functools

from cinder_lite import concurrency, db, states
from cinder_lite.db import audit, connections
from cinder_lite.doctor.finding import Finding, NotRepaired
from cinder_lite.volume.targets import base as targets


def list_exports(places, notes):
    """{backend name: names} of what is exported now; what cannot be asked is told in `notes`."""
    found = {}
    for backend in places.backends:
        target = backend.target
        if target is None:
            continue
        try:
            # A target that has nothing is not asked: its daemon may not be needed.
            mine = set(target.present())
            found[backend.name] = mine & set(backend.call(target.exported)) if mine else set()
        except targets.TargetError as error:
            notes[f"exports of {backend.name}"] = f"what {backend.name} exports was not looked at: {error}"
    return found


def _named(tx, backend_name):
    """The names of exports that connections have, or may have."""
    return {one.export_name for one in connections.of_backend(tx, backend_name)}


def lost_connections(look):
    """A connection whose volume has no row."""
    for row in audit.of_gone_volumes(look.tx, connections.C):
        yield Finding("connection without volume", (row.id,),
                      f"connection {row.id} is to volume {row.volume_id}, which is gone", "removes it",
                      functools.partial(_remove, row.id))


@db.retried
def _remove(id, database, _conf):
    with database.write() as tx:
        gone = audit.of_gone_volumes(tx, connections.C, id)
        for row in gone:
            connections.delete(tx, row)
        return f"removed connection {id}" if gone else ""


def unknown_exports(look):
    """An export that no connection has."""
    for backend, names in look.places.exported.items():
        for name in sorted(names - _named(look.tx, backend)):
            yield Finding("export without connection", (backend, name),
                          f"{backend} exports {name}, to which no host is connected", "removes the export",
                          functools.partial(_take_back, look.places, backend, name))


def _take_back(places, backend_name, name, database, _conf):
    with database.read() as tx:
        if name in _named(tx, backend_name):
            return ""
    target = next(backend.target for backend in places.backends if backend.name == backend_name)
    try:
        concurrency.in_thread(target.remove, name)
    except targets.TargetError as error:
        raise NotRepaired(f"{name} is still exported by {backend_name}: {error}") from error
    return f"took back the export {name} of {backend_name}"


def missing_exports(look):
    """A connection that is made, but whose volume is not exported."""
    for backend, names in look.places.exported.items():
        for row in connections.of_backend(look.tx, backend):
            if row.state == states.CONNECTED and row.export_name not in names:
                yield Finding("connection without export", (row.id,),
                              f"volume {row.volume_id} is connected to {row.host or row.initiator or 'a host'}, but {backend} "
                              f"does not export it", "has the volume service export it again", functools.partial(_again, row.id))


@db.retried
def _again(id, database, _conf):
    with database.write() as tx:
        row = connections.find(tx, id)
        if row is None or row.state != states.CONNECTED:
            return ""
        connections.write(tx, row, state=states.RENEWING, generation=row.generation + 1)
        return f"has the export of connection {id} made again"
