"""Migrations and retypes: data, cleanup of the source, quota and capacity, also after failures."""

import os
import random
import signal

import pytest

from cinder_lite.rpc import calls
from tests.functional.client import Client
from tests.functional.killable import Killable
from tests.functional.service import Service, until
from tests.functional.test_administrators import SECTION, sound

DATA = random.Random(5).randbytes(3 * 1024**2)
MIB = 1024**2
#: A backend whose volumes need no daemon to be exported.
PLAIN = """
[{name}]
volume_driver = file
file_volume_dir = {{state}}/{name}
target_helper = nbd
"""
PLACES = (0, 700 * 1024**2 + 5, 1024**3 - len(DATA))


@pytest.fixture(scope="module")
def service():
    sections = {name: SECTION.format(name=name) for name in ("one", "two")}
    default = "job_sweep_interval = 0.2\nquota_volumes = 100\nvolume_copy_bps_limit = 0"
    with Service(backends=("one", "two"), sections=sections, default=default) as running:
        yield running


@pytest.fixture
def client(service):
    return Client(service.url)


@pytest.fixture(scope="module")
def types(service):
    client = Client(service.url)
    specs = {"one": {"volume_backend_name": "one"}, "two": {"volume_backend_name": "two"}, "any": {},
             "nowhere": {"volume_backend_name": "nowhere"}, "shared": {"multiattach": "<is> True"}}
    return {name: client("POST", "/types", {"volume_type": {"name": name, "extra_specs": of}}, expect=200)[
        "volume_type"]["id"] for name, of in specs.items()}


@pytest.fixture
def gate(service):
    made = []

    def shut(word, backend):
        path = os.path.join(service.state, backend, f".{word}")
        open(path, "w").close()
        made.append(path)
        return lambda: os.remove(path)

    yield shut
    for path in made:
        if os.path.exists(path):
            os.remove(path)


def files(service, backend):
    return sorted(name for name in os.listdir(os.path.join(service.state, backend)) if name.startswith(("vol", "sna")))


def filled(service, client, backend="one", free=False):
    """A volume with data at its beginning, in its middle and at its end; `free`: of a type that fits everywhere."""
    volume = client.made("volumes", size=1, volume_type=backend)
    with open(os.path.join(service.state, backend, f"volume-{volume['id']}"), "r+b") as file:
        for place in PLACES:
            file.seek(place)
            file.write(DATA)
    if free:
        act(client, volume["id"], "os-retype", {"new_type": "any"})
        client.settled("volumes", volume["id"])
    return volume["id"]


def content(service, backend, name):
    path = os.path.join(service.state, backend, name)
    found = []
    with open(path, "rb") as file:
        for place in PLACES:
            file.seek(place)
            found.append(file.read(len(DATA)) == DATA)
    return os.stat(path).st_size, os.stat(path).st_blocks * 512 <= 4 * len(DATA), found


WHOLE = 1024**3, True, [True] * len(PLACES)


def moved(client, id, to="success"):
    until(lambda: client("GET", f"/volumes/{id}", expect=200)["volume"]["os-vol-mig-status-attr:migstat"] == to,
          f"volume {id} to be moved: {client.why(id)}")
    return client("GET", f"/volumes/{id}", expect=200)["volume"]


def act(client, id, action, body, expect=202, **more):
    return client("POST", f"/volumes/{id}/action", {action: body}, expect=expect, **more)


def clean(service, client, *ids):
    """Nothing is left of the volumes, in the database or on the backends."""
    for id in ids:
        client("DELETE", f"/volumes/{id}", expect=202)
        client.gone("volumes", id)
    sound(service, client)
    assert files(service, "one") == files(service, "two") == []


def usage(client):
    return {key: value["in_use"] for key, value in client(
        "GET", f"/os-quota-sets/{client.project}?usage=True", expect=200)["quota_set"].items() if key != "id"}


@pytest.mark.parametrize("locked", [False, True])
def test_a_migrated_volume_has_its_data_and_the_source_is_removed(service, client, types, locked):
    id = filled(service, client, free=True)
    before = usage(client)
    act(client, id, "os-migrate_volume", {"host": "test@two#two", "lock_volume": locked})
    volume = moved(client, id)
    assert volume["os-vol-host-attr:host"] == "test@two#two" and volume["status"] == "available"
    name = f"volume-{id}"
    assert content(service, "two", name) == WHOLE
    assert usage(client) == before
    sound(service, client)
    assert f"volume-{id}" not in files(service, "one")
    act(client, id, "os-migrate_volume", {"host": "test@one"})
    volume = until(lambda: (found := moved(client, id))["os-vol-host-attr:host"] == "test@one#one" and found,
                   "it to be back")
    assert content(service, "one", f"volume-{id}") == WHOLE
    clean(service, client, id)


class Silent:
    """The client of the volume service, whose first call has no answer."""

    def __init__(self, client):
        self._client, self.calls = client, []

    def on(self, host):
        bound = self._client.on(host)
        self.calls.append(host)
        return Unanswered() if len(self.calls) == 1 else bound


class Unanswered:
    def open_local(self, ctx, **values):
        raise calls.NoAnswer(topic="cinder_lite-volume", host="test@one", seconds=60)


def test_a_migration_is_continued_when_the_service_of_its_source_answers_again(service, client, types):
    id = filled(service, client, free=True)
    jobs = service.volume.backends[1].worker.handlers[("volume", "migrate")].__self__
    usual = jobs.volume
    silent = jobs.volume = Silent(usual)
    try:
        act(client, id, "os-migrate_volume", {"host": "test@two"})
        moved(client, id)
    finally:
        jobs.volume = usual
    assert silent.calls[:2] == ["test@one", "test@one"]
    assert content(service, "two", f"volume-{id}") == WHOLE
    clean(service, client, id)


def test_other_actions_on_a_migrating_volume_are_refused(service, client, types, gate):
    id = filled(service, client, free=True)
    opens = gate("hold-create", "two")
    act(client, id, "os-migrate_volume", {"host": "test@two"})
    until(lambda: client("GET", f"/volumes/{id}",
                         expect=200)["volume"]["os-vol-mig-status-attr:migstat"] == "migrating",
          "it to begin")
    for action, body in (("os-extend", {"new_size": 2}), ("os-reserve", {}),
                         ("os-migrate_volume", {"host": "test@two"}),
                         ("os-retype", {"new_type": "two"})):
        assert "migrat" in act(client, id, action, body, 400)["badRequest"]["message"]
    for path, body in (("/volumes", {"volume": {"size": 1, "source_volid": id}}),
                       ("/snapshots", {"snapshot": {"volume_id": id}}),
                       ("/attachments", {"attachment": {"volume_uuid": id, "instance_uuid": id}})):
        assert "migrat" in client("POST", path, body, expect=400)["badRequest"]["message"]
    assert client("DELETE", f"/volumes/{id}", expect=400)
    opens()
    moved(client, id)
    clean(service, client, id)


def test_a_migration_that_fails_leaves_the_volume_where_it_is(service, client, types, gate):
    id = filled(service, client, free=True)
    before = usage(client)
    gate("fail-create", "two")
    act(client, id, "os-migrate_volume", {"host": "test@two", "lock_volume": True})
    volume = moved(client, id, "error")
    assert (volume["status"], volume["os-vol-host-attr:host"]) == ("available", "test@one#one")
    messages = client("GET", f"/messages?resource_uuid={id}", expect=200)["messages"]
    assert [one["user_message"] for one in messages] == ["migrate volume: create was made to fail"]
    assert content(service, "one", f"volume-{id}") == WHOLE and usage(client) == before
    clean(service, client, id)


def test_a_migration_that_is_reset_is_undone(service, client, types, gate):
    id = filled(service, client, free=True)
    opens = gate("hold-create", "two")
    act(client, id, "os-migrate_volume", {"host": "test@two", "lock_volume": True})
    until(lambda: client("GET", f"/volumes/{id}",
                         expect=200)["volume"]["os-vol-mig-status-attr:migstat"] == "migrating",
          "it to begin")
    act(client, id, "os-reset_status", {"status": "available"})
    opens()
    volume = client("GET", f"/volumes/{id}", expect=200)["volume"]
    assert (volume["status"], volume["os-vol-mig-status-attr:migstat"]) == ("available", "error")
    until(lambda: not files(service, "two"), "the copy to be removed")
    assert content(service, "one", f"volume-{id}") == WHOLE
    clean(service, client, id)


@pytest.mark.parametrize(("host", "says"), [
    ("test@three", "no volume service test@three; the volume services are: test@one, test@two"),
    ("test@one#one", "already"),
    ("test@one", "already"), (None, "host")])
def test_where_a_volume_cannot_go(service, client, types, host, says):
    id = client.made("volumes", size=1, volume_type="one")["id"]
    assert says in act(client, id, "os-migrate_volume", {"host": host}, 400)["badRequest"]["message"]
    clean(service, client, id)


def test_volumes_that_cannot_be_migrated(service, client, types):
    id = filled(service, client, free=True)
    snapshot = client.made("snapshots", volume_id=id)
    says = act(client, id, "os-migrate_volume", {"host": "test@two"}, 400)["badRequest"]["message"]
    assert "it has snapshots, which cannot move with it" in says
    act(client, id, "os-retype", {"new_type": "two", "migration_policy": "on-demand"})
    volume = client.settled("volumes", id)
    assert volume["volume_type"] == "any"
    message = client("GET", f"/messages?resource_uuid={id}", expect=200)["messages"][0]["user_message"]
    assert "only test@one#one is possible: it has snapshots, so it cannot move" in message
    client("DELETE", f"/snapshots/{snapshot['id']}", expect=202)
    client.gone("snapshots", snapshot["id"])
    clean(service, client, id)


def test_a_retype_that_fits_changes_the_type_alone(service, client, types):
    id = filled(service, client)
    act(client, id, "os-retype", {"new_type": "any"})
    until(lambda: client("GET", f"/volumes/{id}", expect=200)["volume"]["volume_type"] == "any", "the new type")
    volume = client.settled("volumes", id)
    assert volume["os-vol-host-attr:host"] == "test@one#one"
    assert volume["os-vol-mig-status-attr:name_id"] is None
    assert content(service, "one", f"volume-{id}") == WHOLE
    used = usage(client)
    assert (used["volumes_one"], used["volumes_any"], used["gigabytes_one"], used["gigabytes_any"]) == (0, 1, 0, 1)
    act(client, id, "os-retype", {"new_type": types["shared"]})
    until(lambda: client("GET", f"/volumes/{id}", expect=200)["volume"]["multiattach"], "it to be shared")
    client.settled("volumes", id)
    clean(service, client, id)


def test_a_retype_moves_where_it_may(service, client, types):
    id = filled(service, client)
    act(client, id, "os-retype", {"new_type": "two"})
    client.settled("volumes", id)
    message = client("GET", f"/messages?resource_uuid={id}", expect=200)["messages"][0]["user_message"]
    assert "its retype does not allow a migration" in message and "volume_backend_name" in message
    act(client, id, "os-retype", {"new_type": "two", "migration_policy": "on-demand"})
    volume = moved(client, id)
    assert (volume["volume_type"], volume["os-vol-host-attr:host"]) == ("two", "test@two#two")
    assert content(service, "two", f"volume-{id}") == WHOLE
    used = usage(client)
    assert (used["volumes_one"], used["volumes_two"], used["volumes"]) == (0, 1, 1)
    clean(service, client, id)


def test_retypes_that_are_refused_at_once(service, client, types):
    id = client.made("volumes", size=1, volume_type="one")["id"]
    assert "already" in act(client, id, "os-retype", {"new_type": "one"}, 400)["badRequest"]["message"]
    assert act(client, id, "os-retype", {"new_type": "unheard-of"}, 404)
    client("PUT", f"/os-quota-sets/{client.project}", {"quota_set": {"volumes_two": 0}}, expect=200)
    over = act(client, id, "os-retype", {"new_type": "two", "migration_policy": "on-demand"}, 413)
    assert "its limit is 0" in over["overLimit"]["message"]
    client("PUT", f"/os-quota-sets/{client.project}", {"quota_set": {"volumes_two": -1}}, expect=200)
    act(client, id, "os-retype", {"new_type": "nowhere", "migration_policy": "on-demand"})
    client.settled("volumes", id)
    assert client.why(id)[0][:2] == ("retype", "failed")
    clean(service, client, id)


def test_a_completion_without_a_migration_is_refused(service, client, types):
    id, other = (client.made("volumes", size=1, volume_type="one")["id"] for _ in range(2))
    for action, body in (("os-migrate_volume_completion", {"new_volume": other, "error": False}),
                         ("os-extend_volume_completion", {"error": False})):
        act(client, id, action, body, expect=400)
        act(client, "6a2f5c33-9c35-4b7b-9a2d-2f0c2f7b9c12", action, body, expect=404)
    clean(service, client, id, other)


def test_a_copy_is_resumed_after_a_kill():
    configured = Service(
        backends=("one", "two"), sections={name: PLAIN.format(name=name) for name in ("one", "two")}, target=False,
        default=f"job_sweep_interval = 0.2\njob_lease = 3\nvolume_copy_bps_limit = {40 * MIB}")
    with Killable(configured) as service:
        client = service.client
        for name in ("one", "two"):
            client.type_of(name)
        id = client.made("volumes", size=1, volume_type="one")["id"]
        with open(os.path.join(service.state, "one", f"volume-{id}"), "r+b") as file:
            for _ in range(150):
                file.write(DATA[:MIB])
        act(client, id, "os-retype", {"new_type": "two", "migration_policy": "on-demand"})
        until(lambda: client("GET", f"/jobs?resource_id={id}", expect=200)["jobs"][0]["progress"] >= 6,
              "some of the copy")
        service.process.send(signal.SIGKILL)
        service.process.wait_end()
        # Nobody does this; it shows which bytes are read once more.
        with open(os.path.join(service.state, "one", f"volume-{id}"), "r+b") as file:
            file.write(bytes(MIB))
        service.start()
        name = f"volume-{moved(client, id)['id']}"
        with open(os.path.join(service.state, "two", name), "rb") as file:
            assert [file.read(MIB) == DATA[:MIB] for _ in range(150)] == [True] * 150
            assert not any(file.read(MIB))
        until(lambda: files(service, "one") == [], "the former volume to be removed")
