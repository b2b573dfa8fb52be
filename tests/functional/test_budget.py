"""The cost of operations: SQL statements, transactions and executed source files over all services."""

import contextlib
import os
import sqlite3
import sys
import threading

import pytest
import sqlalchemy as sa

import cinder_lite
from cinder_lite import concurrency, states
from cinder_lite.jobs import recorder
from tests.functional.client import Client
from tests.functional.service import Service, until
from tests.meta import source as source_code

OURS = os.path.dirname(cinder_lite.__file__) + os.sep
SERVER = "6a2f5c33-9c35-4b7b-9a2d-2f0c2f7b9c11"
#: What a plain create may cost over the three services.
STATEMENTS, TRANSACTIONS = 14, 4
#: The same for the own files in which a function runs: all their lines, and those without blanks, comments, docstrings.
LINES, CODE_LINES = 4595, 2946
#: What an attachment with a connector may cost over the API and the volume service.
ATTACH_STATEMENTS, ATTACH_TRANSACTIONS = 12, 3
#: The same on a backend with a target, whose exports are recorded besides.
EXPORT_STATEMENTS, EXPORT_TRANSACTIONS = 16, 4
CONNECTOR = {"host": "h", "initiator": "iqn.2026-01.org.example:h"}
TARGET = """
[gated]
volume_driver = file
file_volume_dir = {state}/volumes
target_helper = tests.functional.gated.GatedTarget
"""
#: Heartbeats and sweeps are far apart: what is counted is the operation's own.
QUIET = ("report_interval = 3600\njob_lease = 36000\njob_sweep_interval = 3600\nbackend_stats_polling_interval = 3600\n"
         "service_down_time = 7200\nquota_volumes = -1\nquota_gigabytes = -1\nquota_snapshots = -1")


def count_lines(file):
    """(lines, lines without blanks, comments and docstrings) of one of our files."""
    with open(OURS + file) as source:
        text = source.read()
    return text.count("\n"), source_code.count_code_lines(text)


class Work:
    """Counts while it is asked to: statements, transactions, and our files in which a function runs."""

    def __init__(self):
        self.counting, self.statements, self.transactions, self.files = False, [], 0, set()

    def statement(self, _connection, _cursor, text, _parameters, _context, _many):
        if not self.counting:
            return
        if text.startswith("BEGIN"):
            self.transactions += 1
        elif not text.startswith(("COMMIT", "ROLLBACK", "PRAGMA")):
            self.statements.append(text)

    def call(self, frame, event, _argument):
        if self.counting and event == "call" and frame.f_code.co_filename.startswith(OURS):
            self.files.add(frame.f_code.co_filename[len(OURS):])

    @contextlib.contextmanager
    def counted(self):
        self.statements, self.transactions, self.files, self.counting = [], 0, set(), True
        yield self
        self.counting = False


@pytest.fixture(scope="module")
def work():
    """Watches every thread that starts after it, native ones too, and greenlets of this one."""
    work = Work()
    kinds = {threading, concurrency.native("threading")}
    for kind in kinds:
        kind.setprofile(work.call)
    sys.setprofile(work.call)
    yield work
    sys.setprofile(None)
    for kind in kinds:
        kind.setprofile(None)


@pytest.fixture(scope="module")
def service(work):
    # The progress of jobs is recorded every second: what is counted would depend on the moment.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recorder, "INTERVAL", 3600)
        yield from _running(work)


def _running(work):
    with Service(backends=("null-1",), target=False, default=QUIET) as running:
        for engine in running.process.db.engines:
            sa.event.listen(engine, "before_cursor_execute", work.statement)
        yield running


@pytest.fixture(scope="module")
def exporting(work):
    """A service whose backend exports volumes by a target."""
    with Service(backends=("gated",), sections={"gated": TARGET}, target=False, default=QUIET) as running:
        for engine in running.process.db.engines:
            sa.event.listen(engine, "before_cursor_execute", work.statement)
        yield running


@pytest.fixture
def client(service):
    return Client(service.url)


def ended(service, resource_id):
    """Wait until the jobs of the resource have ended, reading the database directly so that this is not counted."""
    with contextlib.closing(sqlite3.connect(f"file:{service.state}/cinder.sqlite?mode=ro", uri=True)) as database:
        until(lambda: not database.execute(
            f"SELECT 1 FROM jobs WHERE resource_id = ? AND status IN ({', '.join('?' * len(states.LIVE_JOB))})",
            (resource_id, *states.LIVE_JOB)).fetchone(), f"the jobs of {resource_id} to end")


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
