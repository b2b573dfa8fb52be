"""The cost of every common operation in SQL statements and transactions, for each process apart."""

import datetime
import uuid

import pytest
import sqlalchemy as sa

from cinder_lite import db
from cinder_lite.db import schema
from tests.functional.client import Client
from tests.functional.counting import Work, ended, running

SERVER = "6a2f5c33-9c35-4b7b-9a2d-2f0c2f7b9c11"
CONNECTOR = {"host": "h", "initiator": "iqn.2026-01.org.example:h"}
THEIRS = "b0000000000000000000000000000002"
#: Projects with so many rows of every kind.
FEW, MANY = "f0000000000000000000000000000010", "f0000000000000000000000000001000"


# -- operations: each prepares what it needs, and returns the request and the id of the resource whose jobs run

def create(client, **body):
    return lambda: client.create("volumes", size=1, **body)["id"]


def create_from_snapshot(client):
    snapshot = client.made("snapshots", volume_id=client.made("volumes", size=1)["id"])
    return create(client, snapshot_id=snapshot["id"])


def clone(client):
    return create(client, source_volid=client.made("volumes", size=1)["id"])


def delete(client):
    id = client.made("volumes", size=1)["id"]
    return lambda: client("DELETE", f"/volumes/{id}", expect=202) or id


def act(client, name, body, kind="volumes", id=None):
    id = id or client.made("volumes", size=1)["id"]
    return lambda: client("POST", f"/{kind}/{id}/action", {name: body}, expect=202) or id


def extend(client):
    return act(client, "os-extend", {"new_size": 2})


def retype(client):
    return act(client, "os-retype", {"new_type": "other", "migration_policy": "never"})


def snapshot_create(client):
    id = client.made("volumes", size=1)["id"]
    return lambda: client.create("snapshots", volume_id=id)["id"]


def snapshot_delete(client):
    id = client.made("snapshots", volume_id=client.made("volumes", size=1)["id"])["id"]
    return lambda: client("DELETE", f"/snapshots/{id}", expect=202) or id


def attachment_create(client, **body):
    id = client.made("volumes", size=1)["id"]
    return lambda: client("POST", "/attachments", {"attachment": {
        "volume_uuid": id, "instance_uuid": SERVER, **body}}, expect=200)["attachment"]["id"]


def attachment_connect(client):
    return attachment_create(client, connector=CONNECTOR)


def attachment_update(client):
    id = attachment_create(client)()
    return lambda: client("PUT", f"/attachments/{id}", {"attachment": {"connector": CONNECTOR}}, expect=200) and id


def attachment_complete(client):
    id = attachment_connect(client)()
    return lambda: client("POST", f"/attachments/{id}/action", {"os-complete": {}}, expect=204) or id


def attachment_delete(client):
    id = attachment_connect(client)()
    client("POST", f"/attachments/{id}/action", {"os-complete": {}}, expect=204)
    return lambda: client("DELETE", f"/attachments/{id}", expect=200) and id


def _offer(client):
    id = client.made("volumes", size=1)["id"]
    return client("POST", "/volume-transfers", {"transfer": {"volume_id": id}}, expect=202)["transfer"]


def transfer_create(client):
    id = client.made("volumes", size=1)["id"]
    return lambda: client("POST", "/volume-transfers", {"transfer": {"volume_id": id}}, expect=202) and id


def transfer_accept(client):
    made, theirs = _offer(client), Client(client.base, project=THEIRS)
    return lambda: theirs("POST", f"/volume-transfers/{made['id']}/accept", {
        "accept": {"auth_key": made["auth_key"]}}, expect=202) and made["volume_id"]


def group_create(client):
    type_ = client("POST", "/group_types", {"group_type": {"name": str(uuid.uuid4())}}, expect=202)["group_type"]
    return lambda: client("POST", "/groups", {"group": {
        "group_type": type_["id"], "volume_types": ["other"]}}, expect=202)["group"]["id"]


def backup_create(client):
    id = client.made("volumes", size=1)["id"]
    return lambda: client.create("backups", volume_id=id)["id"]


def _backed_up(client):
    id = client.made("volumes", size=1)["id"]
    return id, client.made("backups", volume_id=id)["id"]


def backup_delete(client):
    _, id = _backed_up(client)
    return lambda: client("DELETE", f"/backups/{id}", expect=202) or id


def backup_restore(client):
    volume_id, id = _backed_up(client)
    return lambda: client("POST", f"/backups/{id}/restore", {"restore": {"volume_id": volume_id}}, expect=202) and id


#: On a backend whose driver connects hosts itself: (operation, statements of the API, of the scheduler and of the
#: worker, transactions of each).
PLAIN = [
    (create, (5, 5, 4), (1, 1, 2)),
    (create_from_snapshot, (8, 6, 5), (1, 1, 2)),
    (clone, (7, 6, 5), (1, 1, 2)),
    (delete, (3, 0, 7), (1, 0, 2)),
    (extend, (7, 0, 4), (1, 0, 2)),
    (retype, (11, 6, 16), (1, 1, 2)),
    (snapshot_create, (5, 0, 5), (1, 0, 2)),
    (snapshot_delete, (3, 0, 6), (1, 0, 2)),
    (attachment_create, (4, 0, 0), (1, 0, 0)),
    (attachment_update, (8, 0, 3), (2, 0, 1)),
    (attachment_connect, (9, 0, 3), (2, 0, 1)),
    (attachment_complete, (4, 0, 0), (1, 0, 0)),
    (attachment_delete, (6, 0, 2), (1, 0, 1)),
    (transfer_create, (5, 0, 0), (1, 0, 0)),
    (transfer_accept, (14, 0, 0), (2, 0, 0)),
    (group_create, (9, 7, 0), (1, 1, 0)),
]
#: The same on a backend with files, exported by a target.
FILES = [
    (create, (5, 5, 4), (1, 1, 2)),
    (delete, (3, 0, 7), (1, 0, 2)),
    (attachment_connect, (9, 0, 7), (2, 0, 2)),
    (attachment_delete, (7, 0, 5), (1, 0, 1)),
    (backup_create, (7, 0, 9), (1, 0, 2)),
    (backup_restore, (7, 0, 10), (1, 0, 2)),
    (backup_delete, (3, 0, 7), (1, 0, 2)),
]
#: (path, statements of a page, of it for administrators and all projects); none takes a transaction.
PAGES = [
    ("/volumes", 1, 1),
    ("/volumes/detail", 2, 2),
    ("/volumes?with_count=1", 2, 2),
    ("/volumes/detail?with_count=1", 3, 3),
    ("/snapshots", 1, 1),
    ("/snapshots/detail", 1, 1),
    ("/snapshots/detail?with_count=1", 2, 2),
    ("/backups", 1, 1),
    ("/backups/detail", 1, 1),
    ("/backups/detail?with_count=1", 2, 2),
    ("/attachments", 1, 1),
    ("/attachments/detail", 1, 1),
    ("/groups", 1, 1),
    ("/groups/detail", 1, 1),
    ("/groups/detail?list_volume=1", 2, 2),
    ("/messages", 1, 1),
    ("/jobs", 1, 1),
    ("/volume-transfers/detail", 1, 1),
]
#: (path of a row, statements of showing it).
SHOWS = [
    ("/volumes/{id}", 2), ("/snapshots/{id}", 1), ("/backups/{id}", 1), ("/attachments/{id}", 1), ("/groups/{id}", 1),
    ("/groups/{id}?list_volume=1", 2), ("/messages/{id}", 1), ("/jobs/{id}", 1), ("/volume-transfers/{id}", 1),
]


@pytest.fixture(scope="module")
def work():
    return Work()


def _prepared(service):
    Client(service.url)("POST", "/types", {"volume_type": {"name": "other"}}, expect=200)
    return service


@pytest.fixture(scope="module")
def plain(work):
    with running(work) as service:
        yield _prepared(service)


@pytest.fixture(scope="module")
def files(work):
    with running(work, backends=("gated",)) as service:
        yield _prepared(service)


@pytest.mark.parametrize(("kind", "operation", "statements", "transactions"), [
    pytest.param(kind, *row, id=f"{kind}-{row[0].__name__}") for kind, table in (("plain", PLAIN), ("files", FILES))
    for row in table])
def test_an_operation_costs_no_more(request, work, kind, operation, statements, transactions):
    service = request.getfixturevalue(kind)
    client = Client(service.url)
    # The first imports what later ones find, and inserts the project's rows of usage.
    ended(service, operation(client)())
    ask = operation(client)
    with work.counted():
        ended(service, ask())
    assert work.of_processes() == (statements, transactions), work.report()


def _rows(project, number):
    """{table: rows} of everything that is listed, so many of each, with the same ids."""
    common = {"project_id": project, "user_id": "u", "metadata": {}, "facts": {}, "size": 1, "status": "available"}
    ids = [str(uuid.uuid5(uuid.NAMESPACE_OID, f"{project} {n}")) for n in range(number)]
    own = {
        schema.volumes: {**common, "admin_metadata": {}, "image_metadata": {}, "export": {}, "host": "h@b#p",
                         "attach_status": "attached"},
        schema.snapshots: {**common, "volume_id": ids[0]},
        schema.backups: {**common, "volume_id": ids[0], "volume_record": {}},
        schema.attachments: {"volume_id": ids[0], "attach_status": "attached", "connector": {}, "connection_info": {}},
        schema.groups: {"user_id": "u", "status": "available", "group_type_id": ids[0], "volume_types": {"ids": []}},
        schema.messages: {"event_id": "VOLUME_000001", "message_level": "ERROR", "user_message": "m",
                          "expires_at": db.now() + datetime.timedelta(days=1)},
        schema.jobs: {"kind": "volume", "resource_id": ids[0], "action": "create", "args": {}, "stage": "volume",
                      "status": "succeeded"},
        schema.transfers: {"salt": "s", "digest": "d"}}
    rows = {table: [{"id": id, "project_id": project, "created_at": db.now(), **values} for id in ids]
            for table, values in own.items()}
    for row in rows[schema.transfers]:
        row["volume_id"] = row["id"]
    return rows


@pytest.fixture(scope="module")
def filled(plain):
    """Two projects with 10 and with 1000 rows of everything."""
    for project, number in ((FEW, 10), (MANY, 1000)):
        with plain.process.db.write() as tx:
            for table, rows in _rows(project, number).items():
                tx.execute(sa.insert(table), rows)
    return plain


@pytest.mark.parametrize(("path", "statements", "of_all"), PAGES)
def test_a_page_costs_no_more_for_a_thousand_rows(filled, work, path, statements, of_all):
    kind = path.strip("/").split("/")[0].split("?")[0].replace("volume-", "")
    path += "&" if "?" in path else "?"
    for project, number in ((FEW, 10), (MANY, 1000)):
        client = Client(filled.url, project=project)
        client("GET", path, expect=200)
        with work.counted():
            assert len(client("GET", path, expect=200)[kind]) == number
        assert work.of_processes() == ((statements, 0, 0), (0, 0, 0)), work.report()
        with work.counted():
            found = client("GET", f"{path}all_tenants=1&limit={number}", expect=200)[kind]
        assert len(found) == number and work.of_processes() == ((of_all, 0, 0), (0, 0, 0)), work.report()


@pytest.mark.parametrize(("path", "statements"), SHOWS)
def test_a_show_costs_no_more(filled, work, path, statements):
    client = Client(filled.url, project=MANY)
    id = client("GET", "/volumes?limit=1", expect=200)["volumes"][0]["id"]
    with work.counted():
        client("GET", path.format(id=id), expect=200)
    assert work.of_processes() == ((statements, 0, 0), (0, 0, 0)), work.report()
