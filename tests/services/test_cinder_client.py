"""The unmodified `cinder` command with the four processes: the most used commands.

Three of the thirty most used commands need features that the service does not have yet:

| command | reason |
|---|---|
| migrate | volumes do not move between backends yet |
| transfer-create | volumes are not handed to other projects yet |
| transfer-accept | as above |

Further commands stand in their place.
"""

import os
import subprocess

import pytest

from tests import product
from tests.services import daemons, processes

BACKEND = "test@file"


class Cinder:
    """Runs `cinder` against a service as its user would: nothing but the documented variables."""

    def __init__(self, url, project):
        self.env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "OS_AUTH_TYPE": "noauth",
                    "CINDER_ENDPOINT": f"{url}/v3", "OS_USER_ID": "ann", "OS_PROJECT_ID": project}
        self.project = project

    def run(self, *words):
        return subprocess.run([product.program("cinder"), *words], env=self.env, capture_output=True, text=True,
                              timeout=120)

    def __call__(self, *words):
        """Return the output of the command; it must succeed without error output."""
        done = self.run(*words)
        assert (done.returncode, done.stderr) == (0, ""), f"cinder {' '.join(words)}: {done.stdout}{done.stderr}"
        return done.stdout

    def rows(self, *words):
        """The table that the command printed, as dictionaries."""
        lines = [[cell.strip() for cell in line.split("|")[1:-1]]
                 for line in self(*words).splitlines() if line.startswith("|")]
        return [dict(zip(lines[0], line)) for line in lines[1:]] if lines else []

    def facts(self, *words):
        """A table of properties, as a dictionary."""
        return {row.get("Property", row.get("Metadata-property")): row["Value"] for row in self.rows(*words)}

    def settled(self, command, name, status="available"):
        """Show a resource until it has the status."""
        def look():
            facts = self.facts(command, name)
            assert not facts["status"].startswith("error"), facts
            return facts if facts["status"] == status else None

        return processes.until(look, what=f"{command} {name} showing {status}", every=0.1)

    def gone(self, command, name):
        def look():
            return name not in [row.get("Name") for row in self.rows(command)]

        processes.until(look, what=f"{command} without {name}", every=0.1)


@pytest.fixture(scope="module")
def cinder(mariadb, rabbitmq):
    for server in (mariadb, rabbitmq):
        if not server.process.running:
            server.start()
    mariadb.emptied()
    limits = {"DEFAULT": {"quota_volumes": 10, "quota_gigabytes": 1000}}
    with daemons.Daemons(mariadb.url, rabbitmq.url, changes=limits) as running:
        running.start()
        yield Cinder(running.url, running.project)


@pytest.fixture
def volume(cinder):
    """The name of a volume of 1 GiB that is available, and gone after the test."""
    name = "kept"
    cinder("create", "1", "--name", name)
    cinder.settled("show", name)
    yield name
    cinder("delete", "--cascade", name)
    cinder.gone("list", name)


def test_volumes(cinder):
    words = ("--name", "first", "--description", "a volume", "--metadata", "for=test", "--poll")
    made = cinder.facts("create", "1", *words)
    assert (made["status"], made["size"], made["name"], made["description"]) == ("available", "1", "first", "a volume")
    assert made["os-vol-host-attr:host"] == f"{BACKEND}#file"
    assert cinder.facts("show", "first")["id"] == made["id"] == cinder.facts("show", made["id"])["id"]
    cinder("extend", "first", "2")
    processes.until(lambda: cinder.settled("show", "first")["size"] == "2", what="the larger size")
    cinder("rename", "first", "second")
    [row] = cinder.rows("list")
    assert (row["ID"], row["Name"], row["Size"], row["Status"]) == (made["id"], "second", "2", "available")
    assert cinder.rows("list", "--name", "first") == cinder.rows("list", "--status", "error") == []
    cinder("metadata", "second", "set", "colour=blue")
    cinder("metadata", "second", "unset", "for")
    assert cinder.facts("metadata-show", "second") == {"colour": "blue"}
    cinder("set-bootable", "second", "true")
    assert cinder.facts("show", "second")["bootable"] == "true"
    clone = cinder.facts("create", "--source-volid", made["id"], "--name", "clone", "--poll")
    assert (clone["source_volid"], clone["size"]) == (made["id"], "2")
    assert cinder.facts("summary")["total_size"] == "4"
    assert cinder("delete", "second", "clone").count("accepted") == 2
    cinder.gone("list", "second")
    cinder.gone("list", "clone")


def test_refusals_are_shown(cinder):
    absent = cinder.run("show", "absent")
    assert (absent.returncode, absent.stderr) == (1, "ERROR: No volume with a name or ID of 'absent' exists.\n")
    assert cinder.run("create", "0").returncode == 1
    many = cinder.run("create", "100000")
    assert many.returncode == 1
    assert "gigabytes" in many.stderr and "413" in many.stderr


def test_snapshots(cinder, volume):
    made = cinder.facts("snapshot-create", volume, "--name", "s1", "--description", "before")
    shown = cinder.settled("snapshot-show", "s1")
    assert (shown["id"], shown["size"], shown["description"]) == (made["id"], "1", "before")
    cinder("snapshot-rename", "s1", "s2")
    [row] = cinder.rows("snapshot-list")
    assert (row["ID"], row["Name"], row["Status"]) == (made["id"], "s2", "available")
    cinder("snapshot-metadata", "s2", "set", "kind=nightly")
    assert cinder.facts("snapshot-metadata-show", "s2") == {"kind": "nightly"}
    cinder("revert-to-snapshot", "s2")
    cinder.settled("show", volume)
    copy = cinder.facts("create", "--snapshot-id", made["id"], "--name", "copy", "--poll")
    assert (copy["snapshot_id"], copy["status"]) == (made["id"], "available")
    cinder("delete", "copy")
    cinder("snapshot-delete", "s2")
    cinder.gone("snapshot-list", "s2")
    cinder.gone("list", "copy")


def test_backups(cinder, volume):
    made = cinder.facts("backup-create", volume, "--name", "b1")
    shown = cinder.settled("backup-show", "b1")
    assert (shown["id"], shown["size"], shown["is_incremental"]) == (made["id"], "1", "False")
    cinder("backup-create", volume, "--name", "b2", "--incremental")
    assert cinder.settled("backup-show", "b2")["is_incremental"] == "True"
    assert {row["Name"]: row["Status"] for row in cinder.rows("backup-list")} == {"b1": "available", "b2": "available"}
    restored = cinder.facts("backup-restore", "b2", "--name", "restored")
    assert (restored["backup_id"], restored["volume_name"]) == (cinder.facts("backup-show", "b2")["id"], "restored")
    cinder.settled("show", "restored")
    cinder.settled("backup-show", "b2")
    cinder("delete", "restored")
    for name in ("b2", "b1"):
        cinder("backup-delete", name)
        cinder.gone("backup-list", name)
    cinder.gone("list", "restored")


def test_types(cinder):
    [made] = cinder.rows("type-create", "fast", "--description", "the fast one")
    assert (made["Name"], made["Description"], made["Is_Public"]) == ("fast", "the fast one", "True")
    cinder("type-key", "fast", "set", "volume_backend_name=file")
    assert cinder.facts("type-show", "fast")["extra_specs"] == "volume_backend_name : file"
    assert "fast" in [row["Name"] for row in cinder.rows("type-list")]
    [default] = cinder.rows("type-default")
    assert default["Name"] == "__DEFAULT__"
    volume = cinder.facts("create", "1", "--name", "typed", "--volume-type", "fast", "--poll")
    assert (volume["status"], volume["volume_type"]) == ("available", "fast")
    used = cinder.run("type-delete", "fast")
    assert used.returncode == 1 and "400" in used.stderr + used.stdout
    cinder("delete", "typed")
    cinder.gone("list", "typed")
    cinder("type-key", "fast", "unset", "volume_backend_name")
    assert cinder.facts("type-show", "fast")["extra_specs"] == ""
    cinder("type-delete", "fast")
    cinder.gone("type-list", "fast")


def test_a_type_without_a_backend_is_reported(cinder):
    cinder("type-create", "nowhere")
    cinder("type-key", "nowhere", "set", "volume_backend_name=absent")
    done = cinder.run("create", "1", "--name", "lost", "--volume-type", "nowhere", "--poll")
    assert done.returncode == 1 and "CapabilitiesFilter" in done.stderr
    [message] = cinder.rows("message-list", "--filters", f"resource_uuid={cinder.facts('show', 'lost')['id']}")
    assert "volume_backend_name" in message["User Message"]
    cinder("delete", "lost")
    cinder.gone("list", "lost")
    cinder("type-delete", "nowhere")


def test_quotas(cinder, volume):
    assert cinder.facts("quota-show", cinder.project)["volumes"] == "10"
    assert cinder.facts("quota-update", cinder.project, "--volumes", "1")["volumes"] == "1"
    assert cinder.facts("quota-show", cinder.project)["volumes"] == "1"
    [usage] = [row for row in cinder.rows("quota-usage", cinder.project) if row["Type"] == "volumes"]
    assert (usage["In_use"], usage["Reserved"], usage["Limit"]) == ("1", "0", "1")
    refused = cinder.run("create", "1")
    assert refused.returncode == 1 and "VolumeLimitExceeded" in refused.stderr
    cinder("quota-delete", cinder.project)
    assert cinder.facts("quota-show", cinder.project) == cinder.facts("quota-defaults", cinder.project)
    limits = {row["Name"]: row["Value"] for row in cinder.rows("absolute-limits")}
    assert (limits["maxTotalVolumes"], limits["totalVolumesUsed"]) == ("10", "1")


def test_services_and_pools(cinder):
    services = {row["Binary"]: row for row in cinder.rows("service-list")}
    assert {binary: row["State"] for binary, row in services.items()} == {
        "cinder-scheduler": "up", "cinder-volume": "up", "cinder-backup": "up"}
    assert services["cinder-volume"]["Host"] == BACKEND
    [off] = cinder.rows("service-disable", BACKEND, "cinder-volume", "--reason", "repair")
    assert (off["Status"], off["Disabled Reason"]) == ("disabled", "repair")
    [row] = cinder.rows("service-list", "--binary", "cinder-volume")
    assert (row["Status"], row["Disabled Reason"]) == ("disabled", "repair")
    [on] = cinder.rows("service-enable", BACKEND, "cinder-volume")
    assert on["Status"] == "enabled"
    assert cinder.facts("get-pools", "--detail")["volume_backend_name"] == "file"
    assert cinder.facts("get-pools")["name"] == f"{BACKEND}#file"
    assert [row["Name"] for row in cinder.rows("availability-zone-list")] == ["nova"]


def test_queries_about_the_service(cinder):
    [row] = cinder.rows("api-version")
    assert (row["ID"], row["Status"], row["Version"], row["Min_version"]) == ("v3.0", "CURRENT", "3.71", "3.0")
    assert "os-quota-sets" in [row["Alias"] for row in cinder.rows("list-extensions")]
    filters = {row["Resource"]: row["Filters"] for row in cinder.rows("list-filters")}
    assert "status" in filters["volume"] and "volume_id" in filters["snapshot"]
