"""The commands and settings of docs/monitoring.md, on a separate service."""

import json
import os
import pathlib
import subprocess

import pytest
import requests

from tests.functional.client import Client
from tests.functional.service import NULL, Apart
from tests.services.processes import free_port

TOP = pathlib.Path(__file__).parents[2]


def blocks():
    """The indented blocks of the page, as lists of lines."""
    found, inside = [], False
    for line in (TOP / "docs/monitoring.md").read_text().splitlines():
        if line.startswith("    "):
            found += [] if inside else [[]]
            found[-1].append(line[4:])
        inside = line.startswith("    ")
    return found


SETTINGS = ["\n".join(block) for block in blocks() if block[0].startswith("[")]
COMMANDS = [line for block in blocks() if not block[0].startswith("[") for line in block]


class Observed(Apart):
    """cinder-lite-all with the page's settings, but for the ports, and with a log."""

    def start(self):
        self.metrics_port = free_port()
        with open(self.config_file, "a") as file:
            file.write("\n".join([*SETTINGS, "", "[metrics]", f"ports = all:{self.metrics_port}", "[DEFAULT]",
                                  f"log_dir = {self.state}/log", "[oslo_messaging_notifications]", "driver = log", ""]))
        os.mkdir(os.path.join(self.state, "log"))
        self.env = {**os.environ, "PYTHONPATH": str(TOP), "CINDER_LITE_ENDPOINT": f"{self.url}/v3",
                    "PATH": f"{TOP / 'bin'}:{os.environ['PATH']}"}
        self.launch("all", self.env)
        self.main.wait(self._ready)
        return self

    def _ready(self):
        try:
            return requests.get(f"{self.url}/healthcheck?detailed", headers={"X-Auth-Token": "a:a"},
                                timeout=60).ok and Client(
                self.url)("GET", "/scheduler-stats/get_pools", expect=200)["pools"]
        except requests.ConnectionError:
            return False


@pytest.fixture(scope="module")
def service():
    with Observed(backends=("null-1",), sections={"null-1": NULL}, target=False) as running:
        client = Client(running.url)
        volume = client.made("volumes", size=1)
        client("DELETE", f"/volumes/{volume['id']}", expect=202)
        client.gone("volumes", volume["id"])
        yield running


def run(service, command):
    for old, new in (("127.0.0.1:8776", f"127.0.0.1:{service.port}"),
                     ("127.0.0.1:9776", f"127.0.0.1:{service.metrics_port}"),
                     ("/etc/cinder/cinder.conf", service.config_file), ("/var/log/cinder", f"{service.state}/log")):
        command = command.replace(old, new)
    return subprocess.run(["bash", "-c", command], env=service.env, capture_output=True, text=True, timeout=120,
                          cwd="/")


#: What each command is there to show, by its first words.
SHOWS = {
    "curl -s http://127.0.0.1:8776/healthcheck": "OK",
    "curl -s -H": '"healthy":true',
    "cinder-lite doctor": "No problems found: 3 services",
    "cinder-lite top": "Services: 3 of 3 up",
    "cinder-lite-manage": "No inconsistencies found.",
    "grep -h": "delete of volume",
    "curl -s http://127.0.0.1:9776": "cinder_lite_http_request_seconds_count",
}


@pytest.mark.parametrize("command", COMMANDS)
def test_the_command_has_the_documented_result(service, command):
    done = run(service, command)
    expected = [shown for words, shown in SHOWS.items() if command.startswith(words)]
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert len(expected) == 1 and expected[0] in done.stdout


def test_the_log_is_json_and_contains_notifications(service):
    with open(os.path.join(service.state, "log", "cinder-lite-all.log")) as file:
        lines = [json.loads(line) for line in file]
    assert {"cinder_lite.api.app", "cinder_lite.jobs.worker"} <= {line["name"] for line in lines}
    assert [line["name"] for line in lines if "volume.delete.end" in line["message"]]
