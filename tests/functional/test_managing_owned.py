"""Objects that belong to a resource or a job cannot be managed as volumes or snapshots."""

import concurrent.futures
import os
import uuid

import pytest
import sqlalchemy as sa

from cinder_lite import db, states
from cinder_lite.db import schema
from tests.functional.client import Client
from tests.functional.installation import PLAIN
from tests.functional.service import Service

GIB = 1024**3
HOST, ELSEWHERE = "test@file-1#file-1", "elsewhere@file-9#file-9"


@pytest.fixture(scope="module")
def service():
    default = "job_sweep_interval = 0.2\nquota_volumes = 200\nquota_snapshots = 200\nquota_gigabytes = 400"
    with Service(default=default) as running:
        yield running


@pytest.fixture
def client(service):
    return Client(service.url)


def path(service, name):
    return os.path.join(service.state, "volumes", name)


def put(service, name):
    with open(path(service, name), "wb") as file:
        file.truncate(GIB)
    return name


def row(service, table, **values):
    """Insert a row that nothing works on; returns its id."""
    values = {**PLAIN[table], "id": str(uuid.uuid4()), "created_at": db.now(), **values}
    with service.process.db.write() as tx:
        tx.execute(sa.insert(schema.METADATA.tables[table]).values(**values))
    return values["id"]


#: What an object can belong to: function of (service, client) that makes both and returns the object's name.
OWNED = {
    "volume": lambda service, client: f"volume-{client.made('volumes', size=1)['id']}",
    "snapshot": lambda service, client: f"snapshot-{snapshot(client)}",
    "volume that has moved": lambda service, client: moved(service),
    "volume of another backend": lambda service, client: put(service,
                                                             f"volume-{row(service, 'volumes', host=ELSEWHERE)}"),
    "volume that is being placed": lambda service, client: put(
        service, f"volume-{row(service, 'volumes', host=None, status=states.ERROR)}"),
    "cached image": lambda service, client: put(service, f"volume-{row(service, 'volumes', project_id='cache')}"),
    "frozen copy of a backup": lambda service, client: put(
        service, f"snapshot-{row(service, 'backups', status=states.CREATING, volume_id=str(uuid.uuid4()))}"),
    "backup of a Cinder": lambda service, client: put(
        service, f"volume-{uuid.uuid4()}.backup.{row(service, 'backups', volume_id=str(uuid.uuid4()))}"),
    "backups of a Cinder": lambda service, client: put(
        service, f"volume-{shared(service)}.backup.base"),
    "target of a migration": lambda service, client: put(service, f"volume-{job(service, 'volume', 'migrate')}"),
    "frozen copy of an upload": lambda service, client: put(service,
                                                            f"snapshot-{job(service, 'volume', 'upload_in_use')}"),
    "leftover": lambda service, client: leftover(service, {"name_id": None}),
    "leftover of another name": lambda service, client: leftover(service, {"name_id": str(uuid.uuid4())}),
}


def snapshot(client):
    return client.made("snapshots", volume_id=client.made("volumes", size=1)["id"])["id"]


def moved(service):
    name_id = str(uuid.uuid4())
    row(service, "volumes", name_id=name_id, host=HOST)
    return put(service, f"volume-{name_id}")


def shared(service):
    volume_id = str(uuid.uuid4())
    row(service, "backups", volume_id=volume_id)
    return volume_id


def job(service, kind, action, **values):
    return row(service, "jobs", **{"kind": kind, "action": action, "resource_id": str(uuid.uuid4()),
                                   "host": ELSEWHERE.partition("#")[0], **values})


def leftover(service, args):
    id = str(uuid.uuid4())
    job(service, "leftover", "remove", resource_id=id, args=args)
    return put(service, f"volume-{args['name_id'] or id}")


@pytest.mark.parametrize("kind", OWNED)
@pytest.mark.parametrize("prefix", ["", "_"])
def test_objects_with_an_owner_are_refused(service, client, kind, prefix):
    name = OWNED[kind](service, client)
    before = os.stat(path(service, name))
    asked = prefix + name
    if prefix:
        os.link(path(service, name), path(service, asked))
    volume = client("POST", "/manageable_volumes", {"volume": {
        "host": HOST, "ref": {"source-name": asked}}}, expect=202)["volume"]["id"]
    parent = client.made("volumes", size=1)["id"]
    taken = client("POST", "/manageable_snapshots", {"snapshot": {
        "volume_id": parent, "ref": {"source-name": asked}}}, expect=202)["snapshot"]["id"]
    for kinds, id in (("volumes", volume), ("snapshots", taken)):
        client.settled(kinds, id, "error")
        assert "it belongs to " in client.why(id)[0][2]
        client("DELETE", f"/{kinds}/{id}", expect=202)
        client.gone(kinds, id)
    after = os.stat(path(service, name))
    assert (after.st_ino, after.st_size) == (before.st_ino, before.st_size)


def test_lists_show_that_they_are_managed(service, client):
    names = [OWNED[kind](service, client) for kind in OWNED]
    listed = {}
    for kind in ("volumes", "snapshots"):
        found = client("GET", f"/manageable_{kind}/detail?host={HOST.replace('#', '%23')}&limit=1000", expect=200)
        listed |= {one["reference"]["source-name"]: one for one in found[f"manageable-{kind}"]}
    for name in names:
        assert (listed[name]["safe_to_manage"], listed[name]["reason_not_safe"]) == (False, "already managed"), name
        assert listed[name]["cinder_id"]


def test_a_file_with_two_names_is_refused(service, client):
    name = put(service, "twice")
    os.link(path(service, name), path(service, "thrice"))
    id = client("POST", "/manageable_volumes", {"volume": {"host": HOST, "ref": {"source-name": name}}},
                expect=202)["volume"]["id"]
    client.settled("volumes", id, "error")
    assert "another name" in client.why(id)[0][2]


def test_of_several_at_a_time_one_gets_it(service, client):
    parent = client.made("volumes", size=1)["id"]
    for attempt in range(3):
        name = put(service, f"wanted-{attempt}")
        requests = [("volumes", "/manageable_volumes", {"volume": {"host": HOST, "ref": {"source-name": name}}}),
                    ("snapshots", "/manageable_snapshots", {"snapshot": {"volume_id": parent,
                                                                         "ref": {"source-name": name}}})] * 2
        with concurrent.futures.ThreadPoolExecutor(len(requests)) as threads:
            answers = list(threads.map(lambda one: Client(service.url)("POST", *one[1:], expect=202), requests))
        ended = [client.settled(kinds, answer[kinds[:-1]]["id"], "available", "error")
                 for (kinds, *_), answer in zip(requests, answers, strict=True)]
        assert sorted(one["status"] for one in ended) == ["available", "error", "error", "error"]
        winner = next(one["id"] for one in ended if one["status"] == "available")
        assert not os.path.exists(path(service, name))
        assert [entry for entry in os.listdir(path(service, "")) if entry.endswith(winner)]
