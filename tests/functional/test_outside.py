"""A package outside of cinder_lite adds a driver, a target, a store, an action and more by entry points.

It is tests/functional/outside. It is installed into a directory of its own, which is on the path of the service.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys

import pytest
import requests

from tests.functional.client import PROJECT, Client
from tests.functional.service import Apart
from tests.meta.source import TOP
from tests.services.processes import Process

MIB, GIB = 1024**2, 1024**3
OUTSIDE = """
[outside-1]
volume_driver = outside
outside_directory = {state}/pieces
outside_mirror = {state}/mirror
"""
LINKED = """
[linked-1]
volume_driver = file
file_volume_dir = {state}/linked
target_helper = outside
outside_share = {state}/share
"""
DEFAULT = """
backup_driver = outside
outside_backups = {0}
[outside]
greeting = welcome
"""
#: Module of a package that cannot be used.
BROKEN_MODULE = """
from oslo_config import cfg

from cinder_lite import states
from cinder_lite.api.route import Route

OPTIONS = {"DEFAULT": [cfg.IntOpt("host", help="Another option of that name.")]}
ROUTES = (Route("GET", "/outside-broken", print, "outside:unknown"),)
ACTIONS = {"volume": [states.Action("rest", (states.AVAILABLE,), "resting", states.BACK, states.ERROR)]}
"""
#: (namespace, entry point, what is reported)
BROKEN = {
    "module": ("cinder_lite.routes", "broken = outside_broken.nowhere:ROUTES", "raises ModuleNotFoundError"),
    "type": ("cinder_lite.routes", "broken = cinder_lite.api.policy:RULES", "which is not a Route"),
    "route": ("cinder_lite.routes", "again = cinder_lite.api.routes:VOLUMES", "adds POST /volumes once more"),
    "unknown policy": ("cinder_lite.routes", "broken = outside_broken:ROUTES",
                       "with the policy outside:unknown, which does not exist"),
    "policy": ("cinder_lite.policies", "again = cinder_lite.api.policy:RULES",
               "adds the policy backup:backup-import once more"),
    "options": ("cinder_lite.options", "broken = outside_broken.nowhere:OPTIONS", "raises ModuleNotFoundError"),
    "action": ("cinder_lite.actions", "broken = outside_broken:ACTIONS", "the action rest of volume lacks: event"),
    "option": ("cinder_lite.options", "again = outside_broken:OPTIONS", "defines the option [DEFAULT] host once more"),
}


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The directory into which the package is installed."""
    source = shutil.copytree(TOP / "tests/functional/outside", tmp_path_factory.mktemp("source") / "outside")
    directory = tmp_path_factory.mktemp("installed")
    done = subprocess.run([sys.executable, TOP / "tools/pip_install.py", "-q", "--no-deps", "--no-build-isolation",
                           "--target", directory, source], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return directory


@pytest.fixture(scope="module")
def service(installed, tmp_path_factory):
    """All services of the host test, and the volume service of the host other, with the package on the path."""
    objects = tmp_path_factory.mktemp("objects")
    running = Apart(backends=("outside-1", "linked-1"), default=DEFAULT.format(objects), target=False,
                    sections={"outside-1": OUTSIDE, "linked-1": LINKED})
    other = Apart(backends=("linked-1",), target=False, host="other", sections={"linked-1": LINKED})
    with open(running.config_file) as file:
        database = re.search(r"^connection = .*$", file.read(), re.M).group()
    with open(other.config_file) as file:
        settings = re.sub(r"^connection = .*$", database, file.read(), flags=re.M)
    with open(other.config_file, "w") as file:
        # Both hosts have the directory of links, and no other of each other's.
        file.write(settings.replace(f"outside_share = {other.state}", f"outside_share = {running.state}"))
    running.main = Process("two-hosts", [sys.executable, "-m", "tests.functional.two_hosts", "--config-file",
                                         running.config_file], os.path.join(running.state, "output"), {
        "PYTHONPATH": f"{TOP}:{installed}", "OTHER_HOST": other.config_file})
    running.main.start()
    try:
        running.main.wait(running.answers)
        client = Client(running.url)
        running.main.wait(lambda: len(client("GET", "/scheduler-stats/get_pools", expect=200)["pools"]) == 3)
        running.objects, running.other = objects, other
        yield running
    finally:
        running.stop()
        running.remove()
        other.remove()


@pytest.fixture
def client(service):
    return Client(service.url)


@pytest.fixture(scope="module")
def types(service):
    """Volume types: one for each name of a backend, one for one of two hosts, and a replicated one."""
    client = Client(service.url)
    specs = {"pieces": {"volume_backend_name": "outside-1"}, "linked": {"volume_backend_name": "linked-1"},
             "here": {"location_info": "FileDriver:test@linked-1"}, "replicated": {"replication_enabled": "<is> True"}}
    for name, extra in specs.items():
        client("POST", "/types", {"volume_type": {"name": name, "extra_specs": extra}}, expect=200)


def host_of(client, volume):
    return client("GET", f"/volumes/{volume['id']}", expect=200)["volume"]["os-vol-host-attr:host"]


def path_of(service, client, volume):
    """The file of a volume of the type linked, on whichever host it is."""
    state = service.other.state if host_of(client, volume).startswith("other@") else service.state
    return f"{state}/linked/volume-{volume['id']}"


def fill(path, size=GIB):
    """Write data and holes into a file of that size; the digest of the whole."""
    with open(path, "r+b") as file:
        for megabyte in (0, 5, size // MIB - 1):
            file.seek(megabyte * MIB)
            file.write(os.urandom(MIB))
    return digest(path)


def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def test_a_driver_makes_copies_and_reports_what_it_can(service, client, types):
    pool, = [pool for pool in client("GET", "/scheduler-stats/get_pools?detail=true", expect=200)["pools"]
             if "@outside-1#" in pool["name"]]
    assert pool["capabilities"]["replication_enabled"] is True
    assert pool["capabilities"]["replication_targets"] == [f"{service.state}/mirror"]
    volume = client.made("volumes", size=1, name="first", volume_type="replicated")
    assert "@outside-1#" in host_of(client, volume)
    snapshot = client.made("snapshots", volume_id=volume["id"])
    clone = client.made("volumes", size=2, snapshot_id=snapshot["id"])
    for place in ("pieces", "mirror"):
        assert set(os.listdir(f"{service.state}/{place}")) >= {
            f"volume-{volume['id']}", f"snapshot-{snapshot['id']}", f"volume-{clone['id']}"}
    for kind, one in (("volumes", clone), ("snapshots", snapshot), ("volumes", volume)):
        client("DELETE", f"/{kind}/{one['id']}", expect=202)
        client.gone(kind, one["id"])
    assert os.listdir(f"{service.state}/mirror") == []


def test_a_store_keeps_backups_of_bytes_that_only_the_package_can_open(service, client, types):
    source = client.made("volumes", size=1, volume_type="here")
    path = path_of(service, client, source)
    content = fill(path)
    backup = client.made("backups", volume_id=source["id"])
    assert backup["container"] == "outside"
    assert [name for name in os.listdir(service.objects) if backup["id"] in name], os.listdir(service.objects)
    # Into a volume whose bytes are opened by an entry point in cinder_lite.blockio, and back out of it.
    pieces = client.made("volumes", size=1, volume_type="pieces")
    client("POST", f"/backups/{backup['id']}/restore", {"restore": {"volume_id": pieces["id"]}}, expect=202)
    client.settled("volumes", pieces["id"])
    client.settled("backups", backup["id"])
    second = client.made("backups", volume_id=pieces["id"])
    with open(path, "r+b") as file:
        file.truncate(0)
        file.truncate(GIB)
    client("POST", f"/backups/{second['id']}/restore", {"restore": {"volume_id": source["id"]}}, expect=202)
    client.settled("volumes", source["id"])
    assert digest(path) == content
    for one in (second, backup):
        client("DELETE", f"/backups/{one['id']}", expect=202)
        client.gone("backups", one["id"])
    assert os.listdir(service.objects) == []


def test_a_target_exports_a_volume(service, client, types):
    volume = client.made("volumes", size=1, volume_type="linked")
    asked = {"volume_uuid": volume["id"], "connector": {"host": "far", "initiator": "x"}}
    attachment = client("POST", "/attachments", {"attachment": asked}, expect=200, version="3.54")["attachment"]
    link = attachment["connection_info"]["link"]
    assert attachment["connection_info"]["driver_volume_type"] == "outside"
    assert os.path.realpath(link) == os.path.realpath(path_of(service, client, volume))
    client("DELETE", f"/attachments/{attachment['id']}", expect=200)
    assert not os.path.lexists(link)


def test_another_host_reads_a_volume_by_the_protocol_of_the_package(service, client, types):
    volume = client.made("volumes", size=1, volume_type="linked")
    former, name = path_of(service, client, volume), f"volume-{volume['id']}"
    content = fill(former)
    host = {"test": "other", "other": "test"}[host_of(client, volume).partition("@")[0]]
    asked = {"os-migrate_volume": {"host": f"{host}@linked-1#linked-1"}}
    client("POST", f"/volumes/{volume['id']}/action", asked, expect=202)
    client.settled("volumes", volume["id"])

    def moved():
        return client("GET", f"/volumes/{volume['id']}", expect=200)["volume"]["migration_status"] == "success"

    service.main.wait(moved)
    assert host_of(client, volume) == f"{host}@linked-1#linked-1"
    assert digest(path_of(service, client, volume)) == content
    service.main.wait(lambda: not os.path.exists(former))
    with open(f"{service.state}/.read-{name}") as file:
        assert file.read() == "yes"


def test_an_action_holds_what_its_row_names_and_releases_it_when_it_fails(service, client, types):
    def asked(volume, refuse):
        answer = requests.post(f"{service.url}/v3/{PROJECT}/volumes/{volume['id']}/action", timeout=60,
                               json={"outside-stretch": {"refuse": refuse}},
                               headers={"X-Auth-Token": f"tester:{PROJECT}"})
        assert answer.status_code == 202, answer.text

    def used():
        return client("GET", f"/os-quota-sets/{PROJECT}?usage=true", expect=200)["quota_set"]["gigabytes"]["in_use"]

    volume = client.made("volumes", size=1, volume_type="pieces")
    before = used()
    asked(volume, refuse=False)
    assert client.settled("volumes", volume["id"])["size"] == 2 and used() == before + 1
    with open(f"{service.state}/pieces/volume-{volume['id']}/size") as file:
        assert int(file.read()) == 2 * GIB
    asked(volume, refuse=True)
    assert client.settled("volumes", volume["id"], "error_extending")["size"] == 2 and used() == before + 1
    message, = client("GET", f"/messages?resource_uuid={volume['id']}", expect=200)["messages"]
    assert message["user_message"] == "extend volume: it was to be refused"


def test_a_route_has_its_policy_its_schema_and_its_option(service, client):
    def asked(method, body=None):
        answer = requests.request(method, f"{service.url}/v3/{PROJECT}/outside-summary", json=body, timeout=60,
                                  headers={"X-Auth-Token": f"tester:{PROJECT}"})
        return answer.status_code, answer.json()

    status, before = asked("GET")
    client.made("volumes", size=1)
    after = asked("GET")[1]["summary"]
    assert status == 200 and after == {"greeting": "welcome", "volumes": before["summary"]["volumes"] + 1}
    assert asked("POST", {"greet": {"name": 1}})[0] == 400
    assert asked("POST", {"greet": {"name": "you"}})[0] == 403


def test_commands_know_what_was_added(service, installed):
    def printed(*words):
        argv = [sys.executable, "-m", "cinder_lite.cmd.manage", *words, "--config-file", service.config_file]
        return subprocess.run(argv, capture_output=True, text=True,
                              env={**os.environ, "PYTHONPATH": f"{TOP}:{installed}"})

    assert "/outside-summary" in printed("routes").stdout
    described = json.loads(printed("openapi").stdout)["paths"]["/outside-summary"]["get"]["responses"]["200"]
    assert "greeting" in described["content"]["application/json"]["schema"]["properties"]["summary"]["properties"]
    checked = printed("config", "check")
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_package_keeps_the_service_down_and_is_named(tmp_path, what):
    namespace, line, reason = BROKEN[what]
    information = tmp_path / "outside_broken-0.3.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: outside-broken\nVersion: 0.3\n")
    (tmp_path / "outside_broken.py").write_text(BROKEN_MODULE)
    (information / "entry_points.txt").write_text(f"[{namespace}]\n{line}\n")
    service = Apart(backends=("null-1",), target=False)
    env = {**os.environ, "PYTHONPATH": f"{TOP}:{tmp_path}"}
    try:
        for words in (["all"], ["manage", "config", "check"]):
            done = subprocess.run([sys.executable, "-m", f"cinder_lite.cmd.{words[0]}", *words[1:], "--config-file",
                                   service.config_file], capture_output=True, text=True, env=env, timeout=120)
            said = done.stdout + done.stderr
            assert done.returncode == (os.EX_CONFIG if words == ["all"] else done.returncode) != 0, said
            assert f"'{line}' in {namespace} of the distribution outside-broken 0.3" in said and reason in said, said
            assert "Traceback" not in said
    finally:
        service.remove()
