"""Load leaves nothing behind: further cycles add no live objects to the process of all services."""

import collections
import gc
import weakref
from concurrent import futures

import pytest

from tests.functional import conformance
from tests.functional.client import Client
from tests.functional.service import Service

CONNECTOR = {"host": "h", "initiator": "iqn.2026-01.org.example:h"}
SERVER = "6a2f5c33-9c35-4b7b-9a2d-2f0c2f7b9c11"
#: Clients and their cycles that fill pools and caches, and the cycles that are counted.
CLIENTS, WARM, COUNTED = 4, 10, 45


@pytest.fixture
def client(monkeypatch):
    # The judge of responses keeps objects of its own in this process.
    monkeypatch.setattr(conformance, "check", lambda *response: None)
    with Service(backends=("null-1",), target=False) as service:
        yield Client(service.url)


def cycle(client):
    """The life of a volume with a snapshot and an attachment, and lists."""
    volume = client.made("volumes", size=1, metadata={"a": "b"})["id"]
    snapshot = client.made("snapshots", volume_id=volume)["id"]
    attachment = client("POST", "/attachments", {"attachment": {
        "volume_uuid": volume, "instance_uuid": SERVER, "connector": CONNECTOR}}, expect=200)["attachment"]["id"]
    client("GET", "/volumes/detail?limit=20", expect=200)
    client("GET", "/volumes?status=in-use", expect=200)
    client("DELETE", f"/attachments/{attachment}", expect=200)
    for kind, id in (("snapshots", snapshot), ("volumes", volume)):
        client("DELETE", f"/{kind}/{id}", expect=202)
        client.gone(kind, id)


def live():
    """{type: number of its objects that the garbage collector tracks}"""
    gc.collect()
    # A connection of SQLite keeps up to 200 dead references to cursors.
    objects = (one for one in gc.get_objects() if type(one) is not weakref.ref or one() is not None)
    return collections.Counter(str(type(one)) for one in objects)


@pytest.mark.once  # eventlet's hub keeps cancelled timers for a while
def test_cycles_add_no_objects(client):
    with futures.ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(lambda _: [cycle(client) for _ in range(WARM)], range(CLIENTS)))
    live()  # the first collection makes objects itself
    cycle(client)
    before = live()
    for _ in range(COUNTED):
        cycle(client)
    # One object of a type that two of three cycles leave behind is found.
    assert {name: count for name, count in (live() - before).items() if count > COUNTED * 2 // 3} == {}
