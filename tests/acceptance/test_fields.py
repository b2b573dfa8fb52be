"""Each field of each view at each microversion is null only where a real Cinder returns null.

Both get the same calls. Cinder runs with a driver without storage, so operations on data are omitted: backups end in
error, and nothing is restored.
"""

import contextlib
import os
import re

import pytest
import requests

from cinder_lite.api import versions
from tests.functional.service import Service, until
from tests.meta.source import TOP
from tests.services.servers import MariaDB, RabbitMQ, started
from tests.storage import real_cinder

PROJECT = real_cinder.PROJECT
SECTION = """
[{name}]
volume_driver = null_driver.NullDriver
volume_backend_name = {name}
"""
OURS = """
[{name}]
volume_driver = file
volume_backend_name = {name}
file_volume_dir = {{state}}/{name}
target_port = {{target_port}}
tgt_control_port = {{control_port}}
"""
CONNECTOR = {"host": "compute", "initiator": "iqn.2026-01.org.example:compute", "ip": "127.0.0.1", "multipath": False,
             "platform": "x86_64", "os_type": "linux", "mountpoint": "/dev/vdb"}
#: A change of any view, and the first and the last version.
VERSIONS = ("3.0", "3.7", "3.13", "3.14", "3.18", "3.21", "3.38", "3.41", "3.43", "3.48", "3.49", "3.55", "3.56",
            "3.57", "3.58",
            "3.61", "3.63", "3.64", "3.65", "3.69", "3.71")
#: What is compared by its kind alone.
KINDS = (
    ("<id>", re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")),
    ("<time>", re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?")), ("<url>", re.compile(r"https?://.*")),
    ("<host>", re.compile(r"[\w.-]+@(one|two)(#\w+)?")))
#: (what, field) -> why it differs.
DIFFERENT = {
    ("managed", "service_uuid"): "Cinder forgets it for volumes that it takes over; os-brick locks by it there as well",
    ("managed", "shared_targets"): "the same",
    ("attachment", "connection_info"): "that of a real target",
    ("attachment",
     "attach_mode"): "the mode in which the host has it; Cinder keeps the word null of who asked for none",
    ("backup", "status"): "nothing is read there",
    ("backup", "container"): "the same",
    ("backup", "object_count"): "the same",
    ("backup", "fail_reason"): "the same",
}


class NullCinder(real_cinder._Cinder):
    def __init__(self, database_url, broker_url):
        super().__init__(database_url, broker_url, ("one", "two"), "default_volume_type = any\n" + "".join(
            SECTION.format(name=name) for name in ("one", "two")))
        with open(TOP / "tests/acceptance/null_driver.py") as driver:
            self.directory.make("modules/null_driver.py", driver.read())

    def _listed(self, path, key):
        # Its API waits for a scheduler that is still starting.
        with contextlib.suppress(requests.RequestException):
            return super()._listed(path, key)
        return []


class Api:
    """One of the two, for the administrator of a project; `kept` has what was made: {name: (path, key)}."""

    def __init__(self, url, directory=None):
        self.url, self.directory, self.kept = url, directory, {}

    def __call__(self, method, path, body=None, version="3.71"):
        answer = requests.request(method, f"{self.url}/v3/{PROJECT}{path}", json=body, timeout=120, headers={
            "X-Auth-Token": f"{PROJECT}:{PROJECT}", "OpenStack-API-Version": f"volume {version}"})
        assert answer.ok, f"{method} {path} {body}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content and "json" in answer.headers.get("Content-Type", "") else None

    def make(self, name, kind, key, body, path=None, wanted=("available",)):
        id = self("POST", path or f"/{kind}", body)[key]["id"]
        self.kept[name] = f"/{kind}/{id}", key
        return self.settled(name, wanted)["id"]

    def settled(self, name, wanted=("available",), **also):
        path, key = self.kept[name]

        def look():
            found = self("GET", path)[key]
            assert found["status"] in wanted or not found["status"].startswith("error"), found
            return found["status"] in wanted and all(found[field] == value for field, value in also.items()) and found

        return until(look, f"{name} to become {wanted} {also}", 90)

    def act(self, id, **action):
        return self("POST", f"/volumes/{id}/action", action)


def lived(api):
    """Let everything happen, the same to both."""
    for name in ("one", "two", "any"):
        specs = {} if name == "any" else {"volume_backend_name": name}
        api("POST", "/types", {"volume_type": {"name": name, "extra_specs": specs}})
    volume = {"size": 1, "volume_type": "one", "name": "n", "description": "d", "metadata": {"k": "v"}}
    first = api.make("created", "volumes", "volume", {"volume": volume})
    bare = api.make("bare", "volumes", "volume", {"volume": {"size": 1, "volume_type": "one"}})
    snapshot = api.make("snapshot", "snapshots", "snapshot", {"snapshot": {"volume_id": first, "name": "s"}})
    api.make("cloned", "volumes", "volume", {"volume": {"size": 1, "source_volid": first}})
    api.make("of a snapshot", "volumes", "volume", {"volume": {"size": 1, "snapshot_id": snapshot}})
    moving = api.make("moved", "volumes", "volume", {"volume": volume})
    api.act(moving, **{"os-retype": {"new_type": "any", "migration_policy": "never"}})
    api.settled("moved", volume_type="any")
    host = api("GET", f"/volumes/{moving}")["volume"]["os-vol-host-attr:host"]
    api.act(moving, **{"os-migrate_volume": {"host": host.replace("one", "two"), "force_host_copy": False}})
    api.settled("moved", migration_status="success")
    api.make("managed", "volumes", "volume", path="/manageable_volumes", body={"volume": {
        "host": host, "ref": {"source-name": "of-others"}, "volume_type": "one", "name": "m"}})
    _grouped(api)
    _attached(api, api.make("attached", "volumes", "volume", {"volume": volume}))
    _attached(api, bare, legacy=True)
    given = api.make("given", "volumes", "volume", {"volume": volume})
    api.kept["transfer"] = "/volume-transfers/" + api("POST", "/volume-transfers", {
        "transfer": {"volume_id": given, "name": "t"}})["transfer"]["id"], "transfer"
    api.make("backup", "backups", "backup", {"backup": {"volume_id": first, "name": "b"}},
             wanted=("available", "error"))


def _grouped(api):
    kind = api("POST", "/group_types", {"group_type": {"name": "g"}})["group_type"]["id"]
    types = {one["name"]: one["id"] for one in api("GET", "/types")["volume_types"]}
    group = api.make("group", "groups", "group", {"group": {"group_type": kind, "volume_types": [types["one"]],
                                                            "name": "g"}})
    api.make("member", "volumes", "volume", {"volume": {"size": 1, "volume_type": types["one"], "group_id": group}})
    api.make("group snapshot", "group_snapshots", "group_snapshot",
             {"group_snapshot": {"group_id": group, "name": "gs"}})
    taken, = [one["id"] for one in api("GET", "/snapshots/detail")["snapshots"] if one["group_snapshot_id"]]
    api.kept["member's snapshot"] = f"/snapshots/{taken}", "snapshot"


def _attached(api, volume, legacy=False):
    server = "3f8b5b5c-1c8e-4f0e-9f0a-0d6a4f6f7c11"
    if legacy:
        api.act(volume, **{"os-reserve": None})
        api.act(volume, **{"os-initialize_connection": {"connector": CONNECTOR}})
        api.act(volume, **{"os-attach": {"instance_uuid": server, "mountpoint": "/dev/vdb", "mode": "rw"}})
        return
    body = {"volume_uuid": volume, "instance_uuid": server, "connector": CONNECTOR}
    id = api("POST", "/attachments", {"attachment": body})["attachment"]["id"]
    api("POST", f"/attachments/{id}/action", {"os-complete": {}})
    api.kept["attachment"] = f"/attachments/{id}", "attachment"


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    sections = {name: OURS.format(name=name) for name in ("one", "two")}
    with MariaDB() as database, RabbitMQ() as broker:
        started(database, broker)
        with NullCinder(database.cinder_url, broker.url) as cinder, Service(
                backends=("one", "two"), sections=sections, default="default_volume_type = any") as service:
            ours, theirs = Api(service.url), Api(cinder.start().url)
            with open(os.path.join(service.state, "one", "of-others"), "wb") as file:
                file.truncate(1024**3)
            for api in (theirs, ours):
                lived(api)
            yield ours, theirs


def shape(value):
    if isinstance(value, dict):
        return {key: shape(one) for key, one in value.items()}
    if isinstance(value, list):
        return [shape(one) for one in value]
    if isinstance(value, str):
        return next((kind for kind, pattern in KINDS if pattern.fullmatch(value)), value)
    return value


def differences(ours, theirs, name, version):
    """{field: (ours, theirs)}, a field that one of them has not is "<none>" there."""
    found = []
    for api in (ours, theirs):
        path, key = api.kept[name]
        found.append(shape(api("GET", path, version=version)[key]))
    fields = found[0].keys() | found[1].keys()
    return {field: pair for field in fields
            if (pair := tuple(one.get(field, "<none>") for one in found))[0] != pair[1]}


#: Everything that can be asked for by itself, with the version that has it.
SINCE = {"group": "3.13", "group snapshot": "3.14", "attachment": "3.27", "transfer": "3.55"}


def test_fields(both):
    ours, theirs = both
    assert ours.kept.keys() == theirs.kept.keys()
    found = {}
    for name in ours.kept:
        for version in VERSIONS:
            if versions.number(version) >= versions.number(SINCE.get(name, "3.0")):
                for field, pair in differences(ours, theirs, name, version).items():
                    found.setdefault((name, field), {})[version] = pair
    for (name, field), pairs in found.items():
        print(f"{name}, {field}: from {next(iter(pairs))} on ours, theirs: {[*pairs.values()][-1]}")
    assert found.keys() - DIFFERENT.keys() == set()


def test_fields_of_services_and_pools(both):
    """Which fields there are, and which are null; the values are of each installation."""
    for version in VERSIONS:
        found = []
        for api in both:
            services = api("GET", "/os-services", version=version)["services"]
            rows = {one["binary"]: {key: value is None for key, value in one.items()} for one in services}
            pools = api("GET", "/scheduler-stats/get_pools", version=version)["pools"]
            found.append((rows, {tuple(one) for one in pools}))
        assert found[0] == found[1], version
