"""The additions of the cinder-lite command: a local default service, --wait, explain and jobs."""

import json
import os
import pathlib
import pty
import re
import subprocess
import sys

import pytest
import requests

from cinder_lite.client import local, tables
from tests.functional.client import Client
from tests.functional.service import Service

pytestmark = pytest.mark.once

RUN = "import sys; sys.argv[0] = 'cinder-lite'; from cinder_lite.client.shell import main; main()"


FILE = """
[file-1]
volume_driver = file
file_volume_dir = {state}/volumes
target_helper = nbd
"""


@pytest.fixture(scope="module")
def service():
    with Service(backends=("file-1", "null-1"), sections={"file-1": FILE}, target=False) as running:
        yield running


@pytest.fixture
def client(service):
    return Client(service.url, local.PROJECT)


@pytest.fixture
def command(service, tmp_path):
    """Runs cinder-lite with these words; nothing but the endpoint is in its environment."""
    def run(*words, **env):
        return subprocess.run(
            [sys.executable, "-c", RUN, *words], capture_output=True, text=True, timeout=120, cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": os.getcwd(),
                 "CINDER_LITE_ENDPOINT": f"{service.url}/v3", **env})
    return run


def ok(done):
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def add_type(client, name, backend):
    specs = {"volume_backend_name": backend}
    client("POST", "/types", {"volume_type": {"name": name, "extra_specs": specs}}, expect=200)


def facts(text):
    """A table of properties, as a dictionary."""
    return dict(re.findall(r"^\| (\S+) +\| (.*?) +\|$", text, re.MULTILINE))


def test_a_local_service_is_used_unless_one_is_named(tmp_path):
    assert local.defaults({}, ["list"], tmp_path)["os_endpoint"] == "http://127.0.0.1:8776/v3"
    (tmp_path / "quickstart-state").mkdir()
    (tmp_path / "quickstart-state" / "endpoint").write_text("http://127.0.0.1:9/v3\n")
    assert local.defaults({}, ["list"], tmp_path)["os_endpoint"] == "http://127.0.0.1:9/v3"
    assert local.defaults({"CINDER_LITE_ENDPOINT": "http://h/v3/"}, [], tmp_path)["os_endpoint"] == "http://h/v3"
    for environ, argv in (({"OS_AUTH_URL": "http://keystone"}, []), ({"OS_CLOUD": "c"}, []),
                          ({}, ["--os-auth-url", "x", "list"]), ({}, ["--os_auth_type=password", "list"])):
        assert local.defaults(environ, argv, tmp_path) == {}


def test_a_missing_service_is_reported_with_a_remedy(command):
    done = command("list", CINDER_LITE_ENDPOINT="http://127.0.0.1:1/v3")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("ERROR: Cannot connect to http://127.0.0.1:1/v3. Start a service")


def test_waiting_ends_with_the_job(command, client):
    add_type(client, "real", "file-1")
    made = facts(ok(command("create", "1", "--name", "waited", "--volume-type", "real", "--wait")))
    assert (made["status"], made["name"]) == ("available", "waited")
    assert facts(ok(command("snapshot-create", "waited", "--name", "before", "--wait")))["status"] == "available"
    assert ok(command("extend", "waited", "2", "--wait")) == ""
    assert client("GET", f"/volumes/{made['id']}", expect=200)["volume"]["size"] == 2
    ok(command("snapshot-delete", "before", "--wait"))
    backup = facts(ok(command("backup-create", "waited", "--name", "copy", "--wait")))
    assert backup["status"] == "available"
    ok(command("backup-restore", "copy", "--name", "restored", "--wait"))
    restored = client("GET", "/volumes/detail?name=restored", expect=200)["volumes"]
    assert [volume["status"] for volume in restored] == ["available"]
    ok(command("backup-delete", "copy", "--wait"))
    said = ok(command("delete", "waited", "restored", "--wait"))
    assert said.count("completed") == 2 and "accepted" not in said
    assert client("GET", "/volumes", expect=200)["volumes"] == client("GET", "/backups", expect=200)["backups"] == []


def test_waiting_for_a_failing_job_ends_with_its_reason(command, client):
    add_type(client, "nowhere", "absent")
    done = command("create", "1", "--name", "lost", "--volume-type", "nowhere", "--wait")
    assert done.returncode == 1
    assert facts(done.stdout)["status"] == "error"
    id = facts(done.stdout)["id"]
    assert done.stderr.startswith(f"ERROR: create of volume {id} failed")
    assert "CapabilitiesFilter" in done.stderr and f"cinder-lite explain {id}" in done.stderr
    explained = ok(command("explain", "lost"))
    for pool in ("test@file-1#file-1", "test@null-1#null-1"):
        assert re.search(rf"{pool}: refused by CapabilitiesFilter: .*volume_backend_name", explained), explained
    assert "message: " in explained
    known = json.loads(ok(command("explain", "--json", id)))
    assert (known["status"], [job["status"] for job in known["jobs"]]) == ("error", ["failed"])
    assert len(known["jobs"][0]["decision"]["refusals"]) == 2 and known["messages"]
    ok(command("delete", "lost", "--wait"))


def test_waiting_for_a_restore_ends_with_that_of_its_new_volume(service, command, client):
    add_type(client, "kept", "file-1")
    ok(command("create", "1", "--name", "kept", "--volume-type", "kept", "--wait"))
    id = facts(ok(command("backup-create", "kept", "--name", "spoilt", "--wait")))["id"]
    stored = [path for path in (pathlib.Path(service.state) / "backups").rglob("*") if path.is_file()
              and id in str(path)]
    assert stored
    for path in stored:
        path.unlink()
    done = command("backup-restore", "spoilt", "--name", "from-spoilt", "--wait")
    volume = client("GET", "/volumes/detail?name=from-spoilt", expect=200)["volumes"][0]
    assert (done.returncode, volume["status"]) == (1, "error"), done.stdout
    assert f"create of volume {volume['id']} failed" in done.stderr
    ok(command("delete", "kept", "from-spoilt", "--wait"))


def test_explain_shows_the_placement_and_deleted_resources(command):
    id = facts(ok(command("create", "1", "--name", "placed", "--wait")))["id"]
    explained = ok(command("explain", "placed"))
    assert f"volume placed ({id}): available" in explained
    assert re.search(r"1 GiB requested in zone nova; 2 of 2 pools can take it", explained), explained
    assert re.search(r"^ +1\. test@file-1#file-1: weight .*^ +2\. test@null-1#null-1: weight", explained, re.M | re.S)
    ok(command("delete", "placed", "--wait"))
    gone = ok(command("explain", id)).splitlines()
    assert gone[0] == f"volume {id}: deleted"
    assert [line.split("  ")[1] for line in gone if line.startswith("20")] == ["delete: succeeded", "create: succeeded"]
    absent = command("explain", "absent")
    assert absent.returncode == 1 and "no job of a deleted one" in absent.stderr


def test_jobs_lists_completed_jobs(command, client):
    volume = client.made("volumes", size=1)
    lines = ok(command("jobs", "--resource", volume["id"])).splitlines()
    assert [line.split()[:5] for line in lines[1:]] == [["create", "volume", volume["id"], "succeeded", "100%"]]
    assert "tester" in lines[1]
    listed = json.loads(ok(command("jobs", "--json", "--limit", "1")))
    assert [(job["resource_id"], job["action"]) for job in listed] == [(volume["id"], "create")]
    other = Client(client.base, "b" * 32)
    elsewhere = other.made("volumes", size=1)
    assert elsewhere["id"] not in ok(command("jobs"))
    row = next(line for line in ok(command("jobs", "--all-projects")).splitlines() if elsewhere["id"] in line)
    assert row.endswith("b" * 32)
    assert ok(command("jobs", "--status", "failed", "--resource", volume["id"])).count("\n") == 1
    other("DELETE", f"/volumes/{elsewhere['id']}", expect=202)
    client("DELETE", f"/volumes/{volume['id']}", expect=202)
    client.gone("volumes", volume["id"])
    other.gone("volumes", elsewhere["id"])


def test_a_bar_and_lines_are_for_terminals_only():
    reader, writer = pty.openpty()
    with os.fdopen(writer, "w") as terminal:
        shown = tables.Output(terminal, terminal=True)
        assert shown.bar(50) == "━" * 5 + " " * 5 + " 50%"
        shown.table(["Status", "Long"], [["failed", "x" * 200], ["[odd]", ""]])
        terminal.flush()
        drawn = os.read(reader, 65536).decode()
    os.close(reader)
    assert "╭" in drawn and "\x1b[31mfailed" in drawn and "[odd]" in drawn and "x" * 200 in drawn
    assert tables.Output(open(os.devnull, "w")).bar(50) == "50%"


@pytest.mark.parametrize("span, text", [(None, "-"), (0.0304, "30 ms"), (4.24, "4.2 s"), (59, "59 s"), (300, "5 min"),
                                        (7200, "2 h"), (3 * 86400, "3 d")])
def test_durations_are_short(span, text):
    assert tables.duration(span) == text


def test_help_and_completion_include_the_new_commands(command):
    assert "--wait" in ok(command("help", "create"))
    listed = ok(command("help"))
    assert "explain" in listed and "usage: cinder-lite" in listed
    assert {"jobs", "explain", "--all-projects"} <= set(ok(command("bash-completion")).split())


def test_only_versions_are_shown_without_a_token(service):
    # keystoneauth's discovery, on which openstacksdk relies, sends none.
    answer = requests.get(f"{service.url}/v3/", timeout=60)
    assert (answer.status_code, answer.json()["versions"][0]["version"]) == (200, "3.71")
    assert requests.get(f"{service.url}/v3/", headers={"X-Auth-User": "ann"}, timeout=60).status_code == 204
    assert requests.get(f"{service.url}/v3/volumes", timeout=60).status_code == 204


def test_one_of_several_that_fails_makes_the_command_fail(command, client):
    ok(command("create", "1", "--name", "there", "--wait"))
    for words in (("delete", "there", "absent", "--wait"), ("reset-state", "absent", "there"),
                  ("snapshot-delete", "absent", "none"),
                  ("type-delete", "absent", "none"), ("backup-delete", "absent", "--wait")):
        done = command(*words)
        assert done.returncode == 1, (words, done.stdout, done.stderr)
        assert "absent" in done.stderr + done.stdout and "Traceback" not in done.stderr
    assert client("GET", "/volumes?name=there", expect=200)["volumes"] == []


def test_a_move_that_fails_makes_the_command_fail(command, client, service):
    ok(command("create", "1", "--name", "stays", "--wait"))
    id = client("GET", "/volumes?name=stays", expect=200)["volumes"][0]["id"]
    host = client("GET", f"/volumes/{id}", expect=200)["volume"]["os-vol-host-attr:host"]
    other = "test@null-1" if "file-1" in host else "test@file-1"
    add_type(client, "here", host.partition("#")[2])
    ok(command("retype", "stays", "here", "--wait"))
    done = command("migrate", "stays", other, "--wait")
    assert (done.returncode, done.stderr.startswith(f"ERROR: migrate of volume {id} failed")) == (1,
        True), (done.stdout, done.stderr)
    done = command("retype", "stays", "nowhere", "--migration-policy", "on-demand", "--wait")
    assert done.returncode == 1, done.stdout
    ok(command("delete", "stays", "--wait"))
