"""Notifications as consumers of Cinder's get them: told once work is done, kept while the broker is away, off by default."""

import pytest
import sqlalchemy as sa

from cinder_lite.db import schema
from tests.functional.client import Client
from tests.functional.service import Service, until

FILE = "[file-1]\nvolume_driver = file\nfile_volume_dir = {state}/volumes\ntarget_helper = nbd\n"
ON = "[oslo_messaging_notifications]\ndriver = messagingv2\n"
#: What Ceilometer's definitions and CloudKitty read of volumes.
READ = {"tenant_id", "user_id", "volume_id", "size", "status", "display_name", "volume_type", "host", "availability_zone",
        "created_at", "launched_at", "snapshot_id", "replication_status", "metadata"}


class Broker:
    """Stands where the transport of notifications is; `away` says that it takes nothing."""

    def __init__(self, failure):
        self.failure, self.away, self.got = failure, False, []

    def _send_notification(self, target, ctxt, message, version, retry):
        if self.away:
            raise self.failure("the broker is away")
        self.got.append((target, ctxt, message, version))

    def told(self):
        return [(message["event_type"], message["publisher_id"]) for _, _, message, _ in self.got]


@pytest.fixture(scope="module")
def service():
    with Service(backends=("file-1",), target=False, sections={"file-1": FILE + ON}) as running:
        yield running


@pytest.fixture
def broker(service):
    """Takes what the service sends; empty for each test."""
    bus = service.process.events.bus
    bus._transport = Broker(bus.FAILURES)
    return bus._transport


def waiting(service):
    with service.process.db.read() as tx:
        return tx.execute(sa.select(schema.notices.c.event_type)).scalars().all()


def test_a_volume_s_life_is_told(service, broker):
    client = Client(service.url)
    volume = client.made("volumes", size=1, name="told", metadata={"a": "b"})
    client("POST", f"/volumes/{volume['id']}/action", {"os-extend": {"new_size": 2}}, expect=202)
    client.settled("volumes", volume["id"])
    snapshot = client.made("snapshots", volume_id=volume["id"])
    backup = client.made("backups", volume_id=volume["id"])
    for kind, id in (("backups", backup["id"]), ("snapshots", snapshot["id"]), ("volumes", volume["id"])):
        client("DELETE", f"/{kind}/{id}", expect=202)
        client.gone(kind, id)
    names = ["volume.create", "volume.resize", "snapshot.create", "backup.create", "backup.delete", "snapshot.delete",
             "volume.delete"]
    until(lambda: len(broker.got) == 2 * len(names), "all to be told")
    assert broker.told() == [
        (f"{name}.{moment}", f"{name.partition('.')[0]}.{'test' if name.startswith('backup') else 'test@file-1'}")
        for name in names for moment in ("start", "end")]
    assert waiting(service) == []
    target, asker, message, version = broker.got[1]
    assert (target.exchange, target.topic, version) == ("cinder", "notifications.info", 2.0)
    assert asker["request_id"].startswith("req-") and asker["project_id"] == client.project
    payload = message["payload"]
    assert READ <= payload.keys()
    assert (payload["volume_id"], payload["status"], payload["size"], payload["display_name"], payload["metadata"]) == (
        volume["id"], "available", 1, "told", [{"key": "a", "value": "b"}])
    gone = broker.got[-1][2]["payload"]
    assert (gone["volume_id"], gone["status"], gone["size"], gone["tenant_id"]) == (
        volume["id"], "deleting", 2, client.project)
    assert {message["payload"].get("snapshot_id") for _, _, message, _ in broker.got if message["event_type"].startswith(
        "snapshot")} == {snapshot["id"]}
    assert len({message["message_id"] for _, _, message, _ in broker.got}) == len(broker.got)


def test_what_could_not_be_sent_is_sent_later(service, broker):
    broker.away = True
    client = Client(service.url)
    volume = client.made("volumes", size=1)
    until(lambda: waiting(service) == ["volume.create.start", "volume.create.end"], "both to wait")
    assert broker.got == []
    broker.away = False
    until(lambda: waiting(service) == [], "both to be sent")
    assert [name for name, _ in broker.told()] == ["volume.create.start", "volume.create.end"]
    client("DELETE", f"/volumes/{volume['id']}", expect=202)
    client.gone("volumes", volume["id"])
    until(lambda: len(broker.got) == 4, "the delete to be told")


def test_the_notice_of_a_process_that_died_is_sent_by_another(service, broker):
    with service.process.db.write() as tx:
        tx.execute(sa.insert(schema.notices).values(
            id="5" * 36, owner="another", event_type="volume.create.end", publisher_id="volume.h@b",
            payload={"payload": {"volume_id": "1"}, "request_id": "req-1", "user_id": "u", "project_id": "p"},
            created_at=sa.func.datetime("2026-01-01")))
    until(lambda: waiting(service) == [], "it to be sent")
    assert broker.got[0][2]["message_id"] == "5" * 36


def test_what_failed_has_no_end(service, broker):
    client = Client(service.url)
    kind = client("POST", "/types", {"volume_type": {"name": "none", "extra_specs": {
        "volume_backend_name": "none"}}}, expect=200)["volume_type"]["name"]
    volume = client.create("volumes", size=1, volume_type=kind)
    client.settled("volumes", volume["id"], "error")
    client("DELETE", f"/volumes/{volume['id']}", expect=202)
    client.gone("volumes", volume["id"])
    other = client.made("volumes", size=1)
    until(lambda: ("volume.create.end", "volume.test@file-1") in broker.told(), "what went well to be told")
    assert volume["id"] not in str([message for _, _, message, _ in broker.got if "create" in message["event_type"]])
    assert other["id"] in str(broker.got[-1][2])


def test_nobody_is_told_unless_somebody_wants_to_know():
    with Service(backends=("null-1",), target=False) as running:
        Client(running.url).made("volumes", size=1)
        assert running.process.events is None
        assert waiting(running) == []
