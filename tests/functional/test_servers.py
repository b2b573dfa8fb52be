"""Volumes of servers: events for Nova, and migrations of volumes in use."""

import dataclasses
import os
import uuid

import pytest
import sqlalchemy as sa

from cinder_lite.db import schema
from cinder_lite.doctor import Doctor
from tests.functional.client import Client
from tests.functional.nova import Nova
from tests.functional.service import Service, until
from tests.functional.test_administrators import SECTION, sound
from tests.functional.test_moves import DATA, PLACES, WHOLE, act, clean, content, files, filled, moved, types, usage  # noqa: F401

SERVER = str(uuid.uuid4())
CONNECTOR = {"host": "compute", "initiator": "iqn.2026-01.org.example:compute", "ip": "127.0.0.1"}


@pytest.fixture(scope="module")
def nova():
    with Nova() as running:
        yield running


@pytest.fixture(scope="module")
def service(nova):
    sections = {name: SECTION.format(name=name) for name in ("one", "two")}
    default = ("job_sweep_interval = 0.2\nquota_volumes = 100\nvolume_copy_bps_limit = 0\n"
               f"[nova]\nauth_type = none\nendpoint_override = {nova.url}")
    with Service(backends=("one", "two"), sections=sections, default=default) as running:
        yield running


@pytest.fixture
def client(service):
    return Client(service.url)


def attached(client, volume, server=SERVER):
    """A complete attachment as Nova creates it."""
    body = {"attachment": {"volume_uuid": volume, "instance_uuid": server}}
    id = client("POST", "/attachments", body, expect=200)["attachment"]["id"]
    client("PUT", f"/attachments/{id}", {"attachment": {"connector": CONNECTOR}}, expect=200)
    client("POST", f"/attachments/{id}/action", {"os-complete": {}}, expect=204)
    return id


def detached(client, volume, attachment):
    act(client, volume, "os-begin_detaching", {})
    client("DELETE", f"/attachments/{attachment}", expect=200)


@dataclasses.dataclass
class Swapping:
    """The volume swap of Nova; `copy(old, new)` copies the data and may fail."""

    client: Client
    copy: object
    attachments: dict

    def __call__(self, server, old, new):
        client, failed = self.client, False
        act(client, old, "os-begin_detaching", {})
        body = {"attachment": {"volume_uuid": new, "instance_uuid": server}}
        attachment = client("POST", "/attachments", body, expect=200)["attachment"]["id"]
        try:
            client("PUT", f"/attachments/{attachment}", {"attachment": {"connector": CONNECTOR}}, expect=200)
            self.copy(old, new)
            client("POST", f"/attachments/{attachment}/action", {"os-complete": {}}, expect=204)
        except OSError:
            failed = True
        gone = attachment if failed else self.attachments[old]
        self.attachments[old] = self.attachments[old] if failed else attachment
        client("DELETE", f"/attachments/{gone}", expect=200)
        answer = act(client, old, "os-migrate_volume_completion", {"new_volume": new, "error": failed}, 200)
        assert answer == {"save_volume_id": old}


@pytest.fixture
def swapping(service, client, nova):
    def copy(old, new):
        with (open(os.path.join(service.state, "one", f"volume-{old}"), "rb") as source,
              open(os.path.join(service.state, "two", f"volume-{new}"), "r+b") as target):
            for place in PLACES:
                source.seek(place)
                target.seek(place)
                target.write(source.read(len(DATA)))

    nova.swap = Swapping(client, copy, {})
    yield nova.swap
    nova.swap = None


def test_a_server_learns_that_its_volume_has_grown(service, client, nova):
    id = client.made("volumes", size=1)["id"]
    act(client, id, "os-extend", {"new_size": 2})
    client.settled("volumes", id)
    attachment = attached(client, id)
    act(client, id, "os-extend", {"new_size": 3})
    assert nova.received(id, "volume-extended") == [("volume-extended", SERVER, "completed")]
    volume = client("GET", f"/volumes/{id}", expect=200)["volume"]
    assert (volume["size"], volume["status"]) == (3, "in-use")
    headers = [headers for _, path, _, headers in nova.asked if path == "/os-server-external-events"][-1]
    assert headers["OpenStack-API-Version"] == "compute 2.51"
    detached(client, id, attachment)
    clean(service, client, id)


def test_a_nova_that_is_away_learns_it_later(service, client, nova):
    id = client.made("volumes", size=1)["id"]
    attachment = attached(client, id)
    nova.failing = True
    act(client, id, "os-extend", {"new_size": 2})
    client.settled("volumes", id, "in-use")
    until(lambda: len(nova.events(id)) > 1, "it to be tried again")
    nova.failing = False
    until(lambda: client("GET", f"/jobs?resource_id={id}&kind=server&status=succeeded", expect=200)["jobs"],
          "the event")
    detached(client, id, attachment)
    clean(service, client, id)


def test_an_event_for_a_deleted_server_is_completed(service, client, nova):
    server = str(uuid.uuid4())
    nova.gone.add(server)
    id = client.made("volumes", size=1)["id"]
    attachment = attached(client, id, server)
    act(client, id, "os-extend", {"new_size": 2})
    assert nova.received(id, "volume-extended")
    until(lambda: client("GET", f"/jobs?resource_id={id}&kind=server", expect=200)["jobs"][0]["status"] == "succeeded",
          "it")
    detached(client, id, attachment)
    clean(service, client, id)


def test_a_volume_in_use_moves_by_nova(service, client, types, nova, swapping):  # noqa: F811
    id = filled(service, client, free=True)
    before = usage(client)
    swapping.attachments[id] = attached(client, id)
    act(client, id, "os-migrate_volume", {"host": "test@two#two"})
    volume = moved(client, id)
    assert (volume["status"], volume["os-vol-host-attr:host"]) == ("in-use", "test@two#two")
    assert [one["attachment_id"] for one in volume["attachments"]] == [swapping.attachments[id]]
    assert content(service, "two", f"volume-{volume['os-vol-mig-status-attr:name_id']}") == WHOLE
    until(lambda: not files(service, "one"), "the former place to be cleared")
    assert usage(client) == before
    assert [one["id"] for one in client("GET", "/volumes", expect=200)["volumes"]] == [id]
    sound(service, client)
    detached(client, id, swapping.attachments[id])
    clean(service, client, id)


def test_a_retype_in_use_moves_by_nova(service, client, types, nova, swapping):  # noqa: F811
    id = filled(service, client)
    swapping.attachments[id] = attached(client, id)
    act(client, id, "os-retype", {"new_type": "two", "migration_policy": "on-demand"})
    volume = moved(client, id)
    assert (volume["status"], volume["volume_type"], volume["os-vol-host-attr:host"]) == ("in-use", "two",
                                                                                          "test@two#two")
    assert content(service, "two", f"volume-{volume['os-vol-mig-status-attr:name_id']}") == WHOLE
    used = usage(client)
    assert (used["volumes_one"], used["volumes_two"], used["volumes"]) == (0, 1, 1)
    detached(client, id, swapping.attachments[id])
    clean(service, client, id)


@pytest.mark.parametrize("action", ["migrate", "retype"])
def test_a_volume_that_nova_cannot_copy_is_not_migrated(service, client, types, nova, swapping, action):  # noqa: F811
    id = filled(service, client, free=True)
    before = usage(client)
    attachment = swapping.attachments[id] = attached(client, id)

    def fail(_old, _new):
        raise OSError("the block job failed")

    swapping.copy = fail
    if action == "migrate":
        act(client, id, "os-migrate_volume", {"host": "test@two"})
    else:
        act(client, id, "os-retype", {"new_type": "two", "migration_policy": "on-demand"})
    volume = moved(client, id, "error")
    assert (volume["status"], volume["os-vol-host-attr:host"], volume["volume_type"]) == ("in-use", "test@one#one",
                                                                                          "any")
    assert [one["attachment_id"] for one in volume["attachments"]] == [attachment]
    message = client("GET", f"/messages?resource_uuid={id}", expect=200)["messages"][0]["user_message"]
    assert "Nova could not copy the volume" in message
    until(lambda: not files(service, "two"), "the copy to be removed")
    assert usage(client) == before
    detached(client, id, attachment)
    clean(service, client, id)


def test_a_volume_that_nova_refuses_to_copy_is_not_migrated(service, client, types, nova):  # noqa: F811
    id = filled(service, client, free=True)
    attachment = attached(client, id)
    act(client, id, "os-migrate_volume", {"host": "test@two"})
    assert moved(client, id, "error")["status"] == "in-use"
    message = client("GET", f"/messages?resource_uuid={id}", expect=200)["messages"][0]["user_message"]
    assert "not while the server is paused" in message
    detached(client, id, attachment)
    clean(service, client, id)


def test_an_administrator_ends_a_migration_that_nova_never_completes(service, client, types, nova):  # noqa: F811
    id = filled(service, client, free=True)
    attachment = attached(client, id)
    nova.swap = lambda *_ids: None
    act(client, id, "os-migrate_volume", {"host": "test@two"})
    until(lambda: client("GET", f"/jobs?resource_id={id}&stage=nova", expect=200)["jobs"], "it to wait for Nova")
    assert Doctor(service.process.db, service.conf, pause=0.1).examine().violations == []
    for action, body in (("os-extend", {"new_size": 2}), ("os-retype", {"new_type": "two"})):
        assert "migrat" in act(client, id, action, body, 400)["badRequest"]["message"]
    act(client, id, "os-reset_status", {"status": "in-use"})
    assert moved(client, id, "error")["status"] == "in-use"
    nova.swap = None
    until(lambda: not files(service, "two"), "the copy to be removed")
    detached(client, id, attachment)
    clean(service, client, id)


@pytest.mark.parametrize("before", [None, "success", "error"])
def test_a_server_changes_its_volume_for_another(service, client, nova, before):
    """As Nova does it the old way, when a user wants another volume; `before` is how an earlier migration of it
    ended."""
    old, new = (client.made("volumes", size=1)["id"] for _ in range(2))
    with service.process.db.write() as tx:
        tx.execute(sa.update(schema.volumes).where(schema.volumes.c.id == old).values(migration_status=before))
    act(client, old, "os-reserve", {})
    act(client, old, "os-attach", {"instance_uuid": SERVER, "mountpoint": "/dev/vdb"})
    wrong = act(client, old, "os-migrate_volume_completion", {"new_volume": new, "error": False}, 400)
    assert "is available" in wrong["badRequest"]["message"]
    act(client, old, "os-begin_detaching", {})
    act(client, new, "os-reserve", {})
    answer = act(client, old, "os-migrate_volume_completion", {"new_volume": new, "error": False}, 200)
    assert answer == {"save_volume_id": new}
    found = {id: client("GET", f"/volumes/{id}", expect=200)["volume"] for id in (old, new)}
    assert (found[old]["status"], found[new]["status"]) == ("available", "in-use")
    assert found[new]["attachments"][0]["server_id"] == SERVER
    act(client, new, "os-detach", {})
    clean(service, client, old, new)
