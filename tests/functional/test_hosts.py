"""Services and hosts for administrators: failover, log levels, hosts, clusters, cleanup."""

import uuid

import pytest

from tests.functional.client import Client
from tests.functional.service import Service

OTHER = "c0000000000000000000000000000003"


@pytest.fixture(scope="module")
def service():
    with Service(backends=("null-1",), target=False) as running:
        yield running


@pytest.fixture
def client(service):
    return Client(service.url)


@pytest.mark.parametrize("path", ["failover_host", "failover"])
@pytest.mark.parametrize(("body", "says"), [
    ({"host": "test@null-1"}, "does not replicate"), ({"host": "test@other"}, "no service cinder-volume on test@other"),
    ({}, "host is needed"), ({"cluster": "c"}, "There is no cluster c")])
def test_a_backend_that_does_not_replicate_does_not_fail_over(client, path, body, says):
    assert says in client("PUT", f"/os-services/{path}", body, expect=400)["badRequest"]["message"]


def test_log_levels_are_changed_and_shown(client):
    def levels():
        found = client("PUT", "/os-services/get-log", {"prefix": "cinder_lite.jobs.worker"}, expect=200)["log_levels"]
        return {one["binary"]: one["levels"]["cinder_lite.jobs.worker"] for one in found}

    before = levels()
    assert before.keys() == {"cinder-api", "cinder-volume", "cinder-scheduler", "cinder-backup"}
    change = {"binary": "cinder-api", "prefix": "cinder_lite.jobs.worker", "level": "error"}
    client("PUT", "/os-services/set-log", change, expect=202)
    try:
        assert set(levels().values()) == {"ERROR"}  # all services are in one process here
    finally:
        client("PUT", "/os-services/set-log", {**change, "level": before["cinder-api"]}, expect=202)
    only = client("PUT", "/os-services/get-log", {"binary": "cinder-volume", "server": "test@null-1"}, expect=200)
    assert [(one["binary"], one["host"]) for one in only["log_levels"]] == [("cinder-volume", "test@null-1")]


@pytest.mark.parametrize(("body", "says"), [
    ({"level": "LOUD"}, "level is one of DEBUG"), ({}, "level is one of"),
    ({"level": "INFO", "binary": "cinder-x"}, "is not one of cinder-scheduler"),
    ({"level": "INFO", "binary": "cinder-volume", "server": "nowhere"}, "no cinder-volume that is up on 'nowhere'")])
def test_a_level_must_make_sense(client, body, says):
    assert says in client("PUT", "/os-services/set-log", body, expect=400)["badRequest"]["message"]


def test_hosts_are_listed_with_their_volumes(client):
    hosts = client("GET", "/os-hosts", expect=200)["hosts"]
    assert {(one["service"], one["host_name"]) for one in hosts} >= {("cinder-volume", "test@null-1")}
    assert {(one["service-state"], one["service-status"]) for one in hosts} == {("enabled", "available")}
    assert client("GET", "/os-hosts?zone=elsewhere", expect=200)["hosts"] == []
    made = [client.made("volumes", size=2), client.made("volumes", size=3)]
    client.made("snapshots", volume_id=made[0]["id"])
    Client(client.base, project=OTHER).made("volumes", size=1)
    shown = [one["resource"] for one in client("GET", "/os-hosts/test@null-1", expect=200)["host"]]
    assert [tuple(one.values()) for one in shown] == [
        ("test@null-1", "(total)", "3", "6", "1", "2"), ("test@null-1", client.project, "2", "5", "1", "2"),
        ("test@null-1", OTHER, "1", "1", "0", "0")]
    client("GET", "/os-hosts/nowhere", expect=404)


def test_a_host_is_switched(client):
    for word, status in (("disable", "disabled"), ("enable", "enabled")):
        answer = client("PUT", "/os-hosts/test@null-1", {"status": word}, expect=200)
        assert answer == {"host": "test@null-1", "status": status}
        service = client("GET", "/os-services?binary=cinder-volume", expect=200)["services"][0]
        assert service["status"] == status
    client("PUT", "/os-hosts/test@null-1", {"status": "maybe"}, expect=400)
    client("PUT", "/os-hosts/nowhere", {"status": "enable"}, expect=404)


def test_there_are_no_clusters(client):
    for path in ("/clusters", "/clusters/detail?name=x&is_up=true&frozen=false"):
        assert client("GET", path, expect=200) == {"clusters": []}
    client("GET", "/clusters?frozen=false", version="3.25", expect=400)
    client("GET", "/clusters?colour=red", expect=400)
    client("GET", "/clusters/c", expect=404)
    for word in ("enable", "disable"):
        client("PUT", f"/clusters/{word}", {"name": "c", "binary": "cinder-volume"}, expect=404)
        client("PUT", f"/clusters/{word}", {}, expect=400)
    client("GET", "/clusters", version="3.6", expect=404)


def test_cleanup_lists_the_services_that_resume_jobs(client):
    assert client("POST", "/workers/cleanup", {}, expect=202) == {"cleaning": [], "unavailable": []}
    alive = client("POST", "/workers/cleanup", {"is_up": True, "binary": "cinder-volume"}, expect=202)
    assert [(one["host"], one["binary"]) for one in alive["cleaning"]] == [("test@null-1", "cinder-volume")]
    volume = client.made("volumes", size=1)
    there = client("POST", "/workers/cleanup", {"is_up": True, "resource_id": volume["id"]}, expect=202)
    assert [one["host"] for one in there["cleaning"]] == ["test@null-1"]
    nowhere = {"is_up": True, "resource_id": str(uuid.uuid4())}
    client("POST", "/workers/cleanup", nowhere, expect=400)
    client("POST", "/workers/cleanup", {"binary": "cinder-x"}, expect=400)
    client("POST", "/workers/cleanup", {"cluster_name": "c"}, expect=400)
    client("POST", "/workers/cleanup", {}, version="3.23", expect=404)
