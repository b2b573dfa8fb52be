"""The service_uuid and shared_targets of volumes, which os-brick uses for locking."""

import os

import pytest
import sqlalchemy as sa

from cinder_lite.db import schema
from tests.functional.client import Client
from tests.functional.service import Service, until
from tests.functional.test_administrators import SECTION
from tests.functional.test_moves import act, moved, types  # noqa: F401


@pytest.fixture(scope="module")
def service():
    sections = {name: SECTION.format(name=name) for name in ("one", "two")}
    with Service(backends=("one", "two"), sections=sections, default="job_sweep_interval = 0.2") as running:
        yield running


@pytest.fixture
def client(service):
    return Client(service.url)


@pytest.fixture
def gate(service):
    def shut(word, backend):
        path = os.path.join(service.state, backend, f".{word}")
        open(path, "w").close()
        return lambda: os.remove(path)

    return shut


def uuid_of(service, backend):
    with service.process.db.read() as tx:
        return tx.execute(sa.select(schema.services.c.uuid).where(
            schema.services.c.binary == "cinder-volume", schema.services.c.host == f"test@{backend}")).scalar()


def belongs(service, client, id, backend):
    """The versions of Nova (3.48) and of newer clients."""
    for version in ("3.48", "3.69"):
        shown = client("GET", f"/volumes/{id}", expect=200, version=version)["volume"]
        assert (shown["os-vol-host-attr:host"], shown["service_uuid"], shown["shared_targets"]) == (
            f"test@{backend}#{backend}", uuid_of(service, backend), False)
    return True


def managed(client, service):
    with open(os.path.join(service.state, "one", "of-others"), "wb") as file:
        file.truncate(1024**3)
    body = {"host": "test@one#one", "ref": {"source-name": "of-others"}}
    return client.settled("volumes", client("POST", "/manageable_volumes", {"volume": body},
                                            expect=202)["volume"]["id"])


def restored(client, source):
    backup = client.made("backups", volume_id=source, force=True)
    id = client("POST", f"/backups/{backup['id']}/restore", {"restore": {}}, expect=202)["restore"]["volume_id"]
    return client.settled("volumes", id)


def copied_group(client, type_id):
    """The members of a group and of its copy."""
    kind = client("POST", "/group_types", {"group_type": {"name": "any"}}, expect=202)["group_type"]["id"]
    ids = [client("POST", "/groups", {"group": {"group_type": kind, "volume_types": [type_id]}},
                  expect=202)["group"]["id"]]
    until(lambda: client("GET", f"/groups/{ids[0]}", expect=200)["group"]["status"] == "available", "the group")
    member = client.made("volumes", size=1, group_id=ids[0], volume_type=type_id)
    ids += [client("POST", "/groups/action", {"create-from-src": {"source_group_id": ids[0]}},
                   expect=202)["group"]["id"]]
    until(lambda: client("GET", f"/groups/{ids[1]}", expect=200)["group"]["status"] == "available",
          "the copy of the group")
    copies = [one for one in client("GET", "/volumes/detail", expect=200)["volumes"] if one["group_id"] == ids[1]]
    return [member, *copies]


def test_every_way_to_create_or_move_a_volume(service, client, types):  # noqa: F811
    first = client.made("volumes", size=1, volume_type="one")
    snapshot = client.made("snapshots", volume_id=first["id"])
    there = [first, client.made("volumes", source_volid=first["id"], size=1),
             client.made("volumes", snapshot_id=snapshot["id"], size=1), managed(client, service),
             *copied_group(client, types["one"])]
    assert len(there) == 6 and all(belongs(service, client, one["id"], "one") for one in there)
    copy = restored(client, first["id"])
    assert belongs(service, client, copy["id"], copy["os-vol-host-attr:host"].partition("#")[2])
    moving = there[1]["id"]
    act(client, moving, "os-retype", {"new_type": "any"})
    client.settled("volumes", moving)
    assert belongs(service, client, moving, "one")
    act(client, moving, "os-migrate_volume", {"host": "test@two#two"})
    moved(client, moving)
    assert belongs(service, client, moving, "two")
    act(client, moving, "os-retype", {"new_type": "one", "migration_policy": "on-demand"})
    until(lambda: client("GET", f"/volumes/{moving}", expect=200)["volume"]["volume_type"] == "one", "the retype")
    assert belongs(service, client, moving, "one")


def test_a_volume_that_is_being_created_has_shared_targets(client, types, gate):  # noqa: F811
    opens = gate("hold-create", "one")
    id = client.create("volumes", size=1, volume_type="one")["id"]
    shown = client("GET", f"/volumes/{id}", expect=200, version="3.69")["volume"]
    assert (shown["status"], shown["shared_targets"], shown["service_uuid"]) == ("creating", True, None)
    opens()
    client.settled("volumes", id)


def test_volumes_of_before_and_of_a_service_that_was_removed(service, client, types):  # noqa: F811
    """An upgrade finds rows without an owner; `service remove` drops the row; the next heartbeat creates it."""
    id = client.made("volumes", size=1, volume_type="one")["id"]
    V, S = schema.volumes, schema.services
    before = uuid_of(service, "one")
    with service.process.db.write() as tx:
        tx.execute(sa.update(V).where(V.c.id == id).values(service_uuid=None, shared_targets=None))
        tx.execute(sa.delete(S).where(S.c.host == "test@one"))
    until(lambda: uuid_of(service, "one"), "the next heartbeat")
    assert uuid_of(service, "one") != before
    until(lambda: client("GET", f"/volumes/{id}", expect=200)["volume"]["service_uuid"] == uuid_of(service, "one"),
          "the owner")
    assert belongs(service, client, id, "one")
