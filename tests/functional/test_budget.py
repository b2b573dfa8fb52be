"""The cost of operations: SQL statements, transactions and executed source files over all services."""

import pytest

from tests.functional.client import Client
from tests.functional.counting import OURS, Work, ended, running
from tests.meta import source as source_code

SERVER = "6a2f5c33-9c35-4b7b-9a2d-2f0c2f7b9c11"
#: What a plain create may cost over the three services.
STATEMENTS, TRANSACTIONS = 14, 4
#: The same for the own files in which a function runs: all their lines, and those without blanks, comments, docstrings.
LINES, CODE_LINES = 5000, 3178
#: What an attachment with a connector may cost over the API and the volume service.
ATTACH_STATEMENTS, ATTACH_TRANSACTIONS = 12, 3
#: The same on a backend with a target, whose exports are recorded besides.
EXPORT_STATEMENTS, EXPORT_TRANSACTIONS = 16, 4
CONNECTOR = {"host": "h", "initiator": "iqn.2026-01.org.example:h"}


def count_lines(file):
    """(lines, lines without blanks, comments and docstrings) of one of our files."""
    with open(OURS + file) as source:
        text = source.read()
    return text.count("\n"), source_code.count_code_lines(text)


@pytest.fixture(scope="module")
def work():
    work = Work()
    with work.profiled():
        yield work


@pytest.fixture(scope="module")
def service(work):
    with running(work) as service:
        yield service


@pytest.fixture(scope="module")
def exporting(work):
    """A service whose backend exports volumes by a target."""
    with running(work, backends=("gated",)) as service:
        yield service


@pytest.fixture
def client(service):
    return Client(service.url)


def test_a_plain_create(client, service, work):
    ended(service, client.create("volumes", size=1)["id"])  # The first imports what later ones find.
    with work.counted():
        volume = client.create("volumes", size=1, name="counted")
        ended(service, volume["id"])
    client.settled("volumes", volume["id"])
    assert {"api/app.py", "scheduler/choose.py",
            "volume/jobs/creation.py"} <= work.files, "not every service was watched"
    assert len(work.statements) <= STATEMENTS, "\n".join(work.statements)
    assert work.transactions <= TRANSACTIONS
    lines = {file: count_lines(file) for file in sorted(work.files)}
    assert sum(whole for whole, _ in lines.values()) <= LINES, lines
    assert sum(code for _, code in lines.values()) <= CODE_LINES, lines


def test_a_delete(client, service, work):
    volume = client.made("volumes", size=1)
    with work.counted():
        client("DELETE", f"/volumes/{volume['id']}", expect=202)
        ended(service, volume["id"])
    assert len(work.statements) <= STATEMENTS, "\n".join(work.statements)
    assert work.transactions <= TRANSACTIONS


def attached(client, id):
    """Reserve a volume and connect a host to it by one request."""
    return lambda: client("POST", "/attachments", {"attachment": {
        "volume_uuid": id, "instance_uuid": SERVER, "connector": CONNECTOR}}, expect=200)


def updated(client, id):
    """Connect a host to a volume that is reserved already."""
    made = client("POST", "/attachments", {"attachment": {"volume_uuid": id, "instance_uuid": SERVER}}, expect=200)
    return lambda: client("PUT", f"/attachments/{made['attachment']['id']}", {
        "attachment": {"connector": CONNECTOR}}, expect=200)


def initialized(client, id):
    """The same by the volume action of older clients."""
    client("POST", f"/volumes/{id}/action", {"os-reserve": None}, expect=202)
    return lambda: client("POST", f"/volumes/{id}/action", {
        "os-initialize_connection": {"connector": CONNECTOR}}, expect=200)


@pytest.mark.parametrize("way", [attached, updated, initialized])
@pytest.mark.parametrize(("kind", "statements", "transactions"), [
    ("service", ATTACH_STATEMENTS, ATTACH_TRANSACTIONS), ("exporting", EXPORT_STATEMENTS, EXPORT_TRANSACTIONS)])
def test_an_attach(request, work, kind, statements, transactions, way):
    service = request.getfixturevalue(kind)
    client = Client(service.url)
    way(client, client.made("volumes", size=1)["id"])()  # The first imports what later ones find.
    connect = way(client, client.made("volumes", size=1)["id"])
    with work.counted():
        connect()
    assert {"api/app.py", "volume/verbs/attachments.py", "volume/exports.py"} <= work.files
    assert len(work.statements) <= statements, "\n".join(work.statements)
    assert work.transactions <= transactions


@pytest.fixture(scope="module")
def fifty(service):
    """Fifty volumes with metadata, attached, with a snapshot and a message each."""
    client = Client(service.url, project="f0000000000000000000000000000050")
    ids = [client.create("volumes", size=1, metadata={"n": str(n), "all": "yes"})["id"] for n in range(50)]
    for id in ids:
        client.settled("volumes", id)
        client.create("snapshots", volume_id=id)
        attachment = client("POST", "/attachments", {"attachment": {
            "volume_uuid": id, "instance_uuid": SERVER, "connector": {"host": "h"}}}, expect=200)["attachment"]
        client("POST", f"/attachments/{attachment['id']}/action", {"os-complete": {}}, expect=204)
    return client


@pytest.mark.parametrize(("kind", "path", "most"), [
    ("volumes", "/volumes?x=1", 1), ("volumes", "/volumes/detail?x=1", 2),
    ("volumes", "/volumes/detail?with_count=1", 3), ("volumes", "/volumes/detail?metadata={'all':'yes'}", 2),
    ("snapshots", "/snapshots/detail?x=1", 1), ("attachments", "/attachments/detail?x=1", 1),
    ("backups", "/backups/detail?x=1", 1), ("messages", "/messages?x=1", 1), ("jobs", "/jobs?x=1", 1),
])
def test_a_page_costs_the_same_for_any_length(fifty, work, kind, path, most):
    path = path.replace("x=1", "sort=created_at")
    counts = {}
    for limit in (1, 50):
        with work.counted():
            page = fifty("GET", f"{path}&limit={limit}", expect=200)[kind]
        counts[limit] = len(work.statements)
        assert kind in ("backups", "messages") or len(page) == limit
    assert counts[1] == counts[50] <= most, work.statements


@pytest.mark.parametrize(("path", "most"), [
    ("/volumes/{volume}", 2), ("/snapshots/{snapshot}", 1), ("/attachments/{attachment}", 1), ("/types/default", 1),
    ("/limits", 1), ("/os-quota-sets/f0000000000000000000000000000050?usage=1", 2), ("/os-services", 1),
    ("/volumes/summary", 2), ("/scheduler-stats/get_pools?detail=1", 1), ("/extensions", 0),
])
def test_a_show_is_a_statement_or_two(fifty, work, path, most):
    ids = {kind[:-1]: fifty("GET", f"/{kind}?limit=1", expect=200)[kind][0]["id"]
           for kind in ("volumes", "snapshots", "attachments")}
    with work.counted():
        fifty("GET", path.format(**ids), expect=200)
    assert len(work.statements) <= most, work.statements
    assert work.transactions == 0
