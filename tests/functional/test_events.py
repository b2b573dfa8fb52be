"""Notifications in the format of Cinder: sent when work is completed, kept while the broker is down, off by default."""

import pytest
import sqlalchemy as sa

from cinder_lite.db import schema
from tests.functional.client import Client
from tests.functional.service import Service, until

FILE = "[file-1]\nvolume_driver = file\nfile_volume_dir = {state}/volumes\ntarget_helper = nbd\n"
ON = "[oslo_messaging_notifications]\ndriver = messagingv2\n"
#: What Ceilometer's definitions and CloudKitty read of volumes.
READ = {"tenant_id", "user_id", "volume_id", "size", "status", "display_name", "volume_type", "host",
        "availability_zone",
        "created_at", "launched_at", "snapshot_id", "replication_status", "metadata"}


class Broker:
    """Replaces the notification transport; with `away` it accepts nothing."""

    def __init__(self, failure):
        self.failure, self.away, self.got = failure, False, []

    def _send_notification(self, target, ctxt, message, version, retry):
        if self.away:
            raise self.failure("the broker is away")
        self.got.append((target, ctxt, message, version))

    def received(self):
        return [(message["event_type"], message["publisher_id"]) for _, _, message, _ in self.got]


@pytest.fixture(scope="module")
def service():
    with Service(backends=("file-1",), target=False, sections={"file-1": FILE + ON}) as running:
        yield running


@pytest.fixture
def broker(service):
    """Receives the notifications of the service; empty for each test."""
    bus = service.process.events.bus
    bus._transport = Broker(bus.FAILURES)
    return bus._transport


def waiting(service):
    with service.process.db.read() as tx:
        return tx.execute(sa.select(schema.notices.c.event_type)).scalars().all()


def test_the_life_of_a_volume_has_notifications(service, broker):
    client = Client(service.url)
    volume = client.made("volumes", size=1, name="reported", metadata={"a": "b"})
    client("POST", f"/volumes/{volume['id']}/action", {"os-extend": {"new_size": 2}}, expect=202)
    client.settled("volumes", volume["id"])
    snapshot = client.made("snapshots", volume_id=volume["id"])
    backup = client.made("backups", volume_id=volume["id"])
    for kind, id in (("backups", backup["id"]), ("snapshots", snapshot["id"]), ("volumes", volume["id"])):
        client("DELETE", f"/{kind}/{id}", expect=202)
        client.gone(kind, id)
    names = ["volume.create", "volume.resize", "snapshot.create", "backup.create", "backup.delete", "snapshot.delete",
             "volume.delete"]
    until(lambda: len(broker.got) == 2 * len(names), "all notifications")
    assert broker.received() == [
        (f"{name}.{moment}", f"{name.partition('.')[0]}.{'test' if name.startswith('backup') else 'test@file-1'}")
        for name in names for moment in ("start", "end")]
    assert waiting(service) == []
    target, requester, message, version = broker.got[1]
    assert (target.exchange, target.topic, version) == ("cinder", "notifications.info", 2.0)
    assert requester["request_id"].startswith("req-") and requester["project_id"] == client.project
    payload = message["payload"]
    assert READ <= payload.keys()
    assert (payload["volume_id"], payload["status"], payload["size"], payload["display_name"], payload["metadata"]) == (
        volume["id"], "available", 1, "reported", [{"key": "a", "value": "b"}])
    gone = broker.got[-1][2]["payload"]
    assert (gone["volume_id"], gone["status"], gone["size"], gone["tenant_id"]) == (
        volume["id"], "deleting", 2, client.project)
    assert {message["payload"].get("snapshot_id") for _, _, message, _ in broker.got
            if message["event_type"].startswith(
        "snapshot")} == {snapshot["id"]}
    assert len({message["message_id"] for _, _, message, _ in broker.got}) == len(broker.got)


def test_unsent_notifications_are_sent_later(service, broker):
    broker.away = True
    client = Client(service.url)
    volume = client.made("volumes", size=1)
    until(lambda: waiting(service) == ["volume.create.start", "volume.create.end"], "both to wait")
    assert broker.got == []
    broker.away = False
    until(lambda: waiting(service) == [], "both to be sent")
    assert [name for name, _ in broker.received()] == ["volume.create.start", "volume.create.end"]
    client("DELETE", f"/volumes/{volume['id']}", expect=202)
    client.gone("volumes", volume["id"])
    until(lambda: len(broker.got) == 4, "the notifications of the deletion")


def test_the_notice_of_a_process_that_died_is_sent_by_another(service, broker):
    with service.process.db.write() as tx:
        tx.execute(sa.insert(schema.notices).values(
            id="5" * 36, owner="another", event_type="volume.create.end", publisher_id="volume.h@b",
            payload={"payload": {"volume_id": "1"}, "request_id": "req-1", "user_id": "u", "project_id": "p"},
            created_at=sa.func.datetime("2026-01-01")))
    until(lambda: waiting(service) == [], "it to be sent")
    assert broker.got[0][2]["message_id"] == "5" * 36


def test_failed_work_has_no_end_notification(service, broker):
    client = Client(service.url)
    kind = client("POST", "/types", {"volume_type": {"name": "none", "extra_specs": {
        "volume_backend_name": "none"}}}, expect=200)["volume_type"]["name"]
    volume = client.create("volumes", size=1, volume_type=kind)
    client.settled("volumes", volume["id"], "error")
    client("DELETE", f"/volumes/{volume['id']}", expect=202)
    client.gone("volumes", volume["id"])
    other = client.made("volumes", size=1)
    until(lambda: ("volume.create.end", "volume.test@file-1") in broker.received(), "the notification of the success")
    assert volume["id"] not in str([message for _, _, message, _ in broker.got if "create" in message["event_type"]])
    assert other["id"] in str(broker.got[-1][2])


def test_notifications_are_off_by_default():
    with Service(backends=("null-1",), target=False) as running:
        Client(running.url).made("volumes", size=1)
        assert running.process.events is None
        assert waiting(running) == []


def received_since(broker, since):
    """Return [(event, id of the resource)] after the first `since`, in order."""
    found = []
    for _, _, message, _ in broker.got[since:]:
        kind = message["event_type"].partition(".")[0]
        found.append((message["event_type"], message["payload"][f"{kind}_id"]))
    return found


def both(event, *ids):
    """Events of the same time have the order of their resources."""
    return [(f"{event}.{moment}", id) for moment in ("start", "end") for id in ids]


def expect(broker, since, *wanted):
    """Check all events after `since`: any order between resources, each start before its end."""
    names = sorted(pair for pairs in wanted for pair in pairs)
    until(lambda: len(broker.got) - since >= len(names), f"notifications of {names}")
    found = received_since(broker, since)
    assert sorted(found) == names
    for event, id in found:
        if event.endswith(".start"):
            assert found.index((event, id)) < found.index((f"{event.removesuffix('start')}end", id))
    return len(broker.got)


def test_members_of_groups_have_their_own_notifications(service, broker):
    client = Client(service.url)
    volume_type = client("GET", "/types/default", expect=200)["volume_type"]["id"]
    group_type = client("POST", "/group_types", {"group_type": {"name": "reported"}}, expect=202)["group_type"]["id"]
    group = client("POST", "/groups", {"group": {"group_type": group_type, "volume_types": [volume_type]}},
                   expect=202)["group"]["id"]
    at = expect(broker, 0, both("group.create", group))
    payload = broker.got[-1][2]["payload"]
    assert (payload["status"], payload["group_type"], payload["tenant_id"]) == ("available", group_type, client.project)
    members = [client.made("volumes", size=1, volume_type=volume_type, group_id=group)["id"] for _ in range(2)]
    at = expect(broker, at, both("volume.create", *members))
    client("PUT", f"/groups/{group}", {"group": {"name": "renamed"}}, expect=202)
    at = expect(broker, at, both("group.update", group))
    kept = client("POST", "/group_snapshots", {"group_snapshot": {"group_id": group}},
                  expect=202)["group_snapshot"]["id"]
    until(lambda: client("GET", f"/group_snapshots/{kept}", expect=200)["group_snapshot"]["status"] == "available",
          "it")
    snapshots = [one["id"] for one in client("GET", "/snapshots", expect=200)["snapshots"]]
    at = expect(broker, at, both("group_snapshot.create", kept), both("snapshot.create", *snapshots))
    copy = client("POST", "/groups/action", {"create-from-src": {"group_snapshot_id": kept}}, expect=202)["group"]["id"]
    client.settled("groups", copy)
    copies = [one["id"] for one in client("GET", f"/volumes?group_id={copy}", expect=200)["volumes"]]
    assert len(copies) == 2
    at = expect(broker, at, both("group.create", copy), both("volume.create", *copies))
    ended = [message["payload"]["status"] for _, _, message, _ in broker.got
             if message["event_type"] == "volume.create.end"]
    assert ended == ["available"] * 4
    client("DELETE", f"/group_snapshots/{kept}", expect=202)
    at = expect(broker, at, both("group_snapshot.delete", kept), both("snapshot.delete", *snapshots))
    for id, ids in ((group, members), (copy, copies)):
        client("POST", f"/groups/{id}/action", {"delete": {"delete-volumes": True}}, expect=202)
        at = expect(broker, at, both("group.delete", id), both("volume.delete", *ids))
    empty = client("POST", "/groups", {"group": {"group_type": group_type, "volume_types": [volume_type]}},
                   expect=202)["group"]["id"]
    at = expect(broker, at, both("group.create", empty))
    client("POST", f"/groups/{empty}/action", {"delete": {"delete-volumes": False}}, expect=202)
    expect(broker, at, both("group.delete", empty))


def test_dependent_resources_have_their_own_notifications(service, broker):
    client = Client(service.url)
    volume = client.made("volumes", size=1)["id"]
    snapshot = client.made("snapshots", volume_id=volume)["id"]
    backup = client.made("backups", volume_id=volume)["id"]
    at = expect(broker, 0, both("volume.create", volume), both("snapshot.create", snapshot),
                both("backup.create", backup))
    client("POST", f"/volumes/{volume}/action", {"revert": {"snapshot_id": snapshot}}, expect=202)
    at = expect(broker, at, both("volume.revert", volume), both("snapshot.revert", snapshot))
    restored = client.made("volumes", backup_id=backup, size=1)["id"]
    at = expect(broker, at, both("volume.create", restored), both("backup.restore", backup))
    snapshots = [snapshot, client.made("snapshots", volume_id=volume)["id"]]
    at = expect(broker, at, both("snapshot.create", snapshots[1]))
    client("DELETE", f"/volumes/{volume}?cascade=true", expect=202)
    at = expect(broker, at, both("volume.delete", volume), both("snapshot.delete", *snapshots))
    kind = client("POST", "/types", {"volume_type": {"name": "unplaced",
                                                     "extra_specs": {"volume_backend_name": "none"}}},
                  expect=200)["volume_type"]["name"]
    lost = client.create("volumes", size=1, volume_type=kind)["id"]
    client.settled("volumes", lost, "error")
    client("DELETE", f"/volumes/{lost}", expect=202)
    at = expect(broker, at, both("volume.delete", lost))
    for kind, id in (("backups", backup), ("volumes", restored)):
        client("DELETE", f"/{kind}/{id}", expect=202)
        client.gone(kind, id)
    expect(broker, at, both("backup.delete", backup), both("volume.delete", restored))
