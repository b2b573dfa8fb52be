"""doctor compares exports with connections and repairs the differences."""

import sqlalchemy as sa

from cinder_lite import states
from cinder_lite.db import schema
from cinder_lite.doctor import Doctor
from tests.functional.service import until
from tests.functional.test_connections import (  # noqa: F401
    _delete,
    client,
    helper,
    initialized,
    reaches,
    rows,
    service,
    types,
)


def examine(service):  # noqa: F811
    found = Doctor(service.process.db, service.conf, pause=0)
    return [one for one in found.examine().violations if "connection" in one.invariant], found


def test_an_export_without_a_connection_is_found_and_removed(service, client, helper):  # noqa: F811
    id = client.made("volumes", size=1, volume_type=f"{helper}-1")["id"]
    info = initialized(client, id)
    row, = rows(service, volume_id=id)
    with service.process.db.write() as tx:
        tx.execute(sa.delete(schema.connections).where(schema.connections.c.volume_id == id))
        tx.execute(sa.update(schema.volumes).where(schema.volumes.c.id == id).values(export={}))
    (finding,), doctor = examine(service)
    assert (finding.invariant, finding.subject) == ("export without connection", (f"test@{helper}-1", row.export_name))
    doctor.repair()
    assert not reaches(info)
    assert examine(service)[0] == []


def test_a_connection_without_an_export_is_found_and_exported_again(service, client, helper):  # noqa: F811
    id = client.made("volumes", size=1, volume_type=f"{helper}-1")["id"]
    info = initialized(client, id)
    row, = rows(service, volume_id=id)
    backend = next(one.backend for one in service.volume.backends if one.backend.name == row.backend)
    backend.call(backend.target.remove, row.export_name)
    assert not reaches(info)
    (finding,), doctor = examine(service)
    assert (finding.invariant, finding.subject) == ("connection without export", (row.id,))
    finding.repair(service.process.db, service.conf)
    until(lambda: rows(service, volume_id=id)[0].state == states.CONNECTED, "it to be exported again")
    assert reaches(info)
    assert examine(service)[0] == []


def test_a_connection_of_a_volume_that_is_gone_is_found_and_removed(service, client, types):  # noqa: F811
    id = client.made("volumes", size=1, volume_type="tgt-1")["id"]
    initialized(client, id)
    row, = rows(service, volume_id=id)
    _delete(service, client, id)
    with service.process.db.write() as tx:
        tx.execute(sa.insert(schema.connections).values(**row._mapping))
    found, doctor = examine(service)
    assert ("connection without volume", (row.id,)) in [(one.invariant, one.subject) for one in found]
    doctor.repair()
    assert rows(service, volume_id=id) == []
