"""A part that hangs or is slow is named by health, doctor, metrics and the service list, and others go on."""

import os
import socket
import subprocess
import sys
import threading

import pytest
import requests

from cinder_lite.concurrency import http_server
from cinder_lite.observe import outgoing
from tests.functional.client import PROJECT, Client
from tests.functional.service import Service, until
from tests.functional.test_metrics import parsed
from tests.meta.source import TOP
from tests.services.processes import free_port

GATED = """
[{name}]
volume_driver = tests.functional.gated.GatedDriver
file_volume_dir = {{state}}/{name}
target_helper = tests.functional.gated.GatedTarget
"""
SECTIONS = {"hung": GATED.format(name="hung"),
            "other": GATED.format(name="other") + "[metrics]\nenabled = true\n"}
DEFAULT = ("service_down_time = 2\nbackend_stats_polling_interval = 1\nbackup_check_interval = 1\nrpc_max_waiting = 2\n"
           "osapi_volume_threads = 6\nbackup_driver = tests.functional.gated.GatedStore\n"
           "glance_api_servers = {glance}\nglance_num_retries = 0\nglance_request_timeout = 10\nquota_volumes = -1")
IMAGE = "5a4e4a7a-de6e-41b2-8aef-6f9913a58540"


class Silent:
    """Accepts connections, and answers nothing until the `with` block ends."""

    def __enter__(self):
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        return self

    def __exit__(self, *exception):
        self._socket.close()


@pytest.fixture(scope="module")
def glance():
    with Silent() as server:
        yield server


@pytest.fixture(scope="module")
def service(glance):
    with Service(backends=("hung", "other"), sections=SECTIONS, default=DEFAULT.format(glance=glance.url),
                 target=False) as running:
        client = Client(running.url)
        for name in ("hung", "other"):
            client.type_of(name)
        yield running


@pytest.fixture
def client(service):
    return Client(service.url)


@pytest.fixture(scope="module")
def metrics(service):
    port = free_port()
    exporter = service.process.serve_metrics(http_server.listen("127.0.0.1", port), database_totals=True)
    yield lambda: parsed(requests.get(f"http://127.0.0.1:{port}/metrics", timeout=60).text)
    exporter.stop()


@pytest.fixture
def gate(service):
    """Make calls of a method wait: gate(directory, method)."""
    made = []

    def hold(directory, method):
        made.append(os.path.join(service.state, directory, f".hold-{method}"))
        open(made[-1], "w").close()

    yield hold
    for one in made:
        os.unlink(one)
    until(lambda: problems(service) == [], "all to work again")


def problems(service):
    return requests.get(f"{service.url}/healthcheck?detailed", timeout=60,
                        headers={"X-Auth-Token": f"tester:{PROJECT}"}).json()["problems"]


def named(service, beginning):
    """The problem that begins so, once there is one."""
    return until(lambda: [one for one in problems(service) if one.startswith(beginning)], beginning)[0]


def manage_doctor(service):
    argv = [sys.executable, "-m", "cinder_lite.cmd.manage", "--config-file", service.config_file, "doctor"]
    done = subprocess.run(argv, env={**os.environ, "PYTHONPATH": str(TOP)}, capture_output=True, text=True, timeout=300)
    return done.stderr


def state(client, binary, host):
    """"up" or "down": that of a backend, or of a backup service with its store."""
    found = client("GET", f"/os-services?binary={binary}", expect=200)["services"]
    return next(one.get("backend_state", one["state"]) for one in found if one["host"] == host)


def test_a_backend_whose_check_hangs_is_named_and_others_go_on(service, client, gate, metrics):
    gate("hung", "check")
    named(service, "the backend test@hung is down: it has not answered for ")
    assert [one for one in problems(service) if not one.startswith("the backend test@hung is down")] == []
    assert (state(client, "cinder-volume", "test@hung"), state(client, "cinder-volume", "test@other")) == ("down", "up")
    shown = metrics()["backend_up"]
    assert (shown['host="test@hung"'], shown['host="test@other"']) == (0, 1)
    assert client.made("volumes", size=1, volume_type="other")["status"] == "available"
    assert "backend test@hung was not checked: it has not answered for " in manage_doctor(service)
    assert "hung is down: it has not answered for " in service.volume.status()


def test_a_store_whose_check_hangs_is_named(service, client, gate, metrics):
    gate("backups", "check")
    named(service, "the store of cinder-backup on test cannot be used: it has not answered for ")
    assert state(client, "cinder-backup", "test") == "down"
    assert metrics()["backup_store_up"]['host="test"'] == 0
    assert "the backup store was not checked: it has not answered for " in manage_doctor(service)


def test_a_backend_for_which_too_many_wait_is_named(service, client, gate):
    ids = [client.made("volumes", size=1, volume_type="hung")["id"] for _ in range(2)]
    os.makedirs(os.path.join(service.state, "targets", "hung"), exist_ok=True)
    connector = {"host": "one", "initiator": "iqn.2026-01.org.example:one"}
    asking = [threading.Thread(target=client, args=("POST", f"/volumes/{id}/action", {
        "os-initialize_connection": {"connector": connector}})) for id in ids]
    gate("targets/hung", "before-export")
    for thread in asking:
        thread.start()
    named(service, "too many requests wait for the service 'cinder_lite-volume' on test@hung, which may hang")
    assert requests.get(f"{service.url}/healthcheck", timeout=60).text == "OK"


def test_a_silent_glance_takes_few_places_and_is_named(service, client, metrics, monkeypatch):
    monkeypatch.setattr(outgoing, "SLOW", 0.2)
    answers = []
    body = {"volume": {"size": 1, "imageRef": IMAGE}}
    asking = [threading.Thread(target=lambda: answers.append(client("POST", "/volumes", body)[0]))
              for _ in range(12)]
    for thread in asking:
        thread.start()
    until(lambda: len(answers) == len(asking) - 2, "all but those that may wait to be refused")
    assert set(answers) == {503}
    assert named(service, "Glance is slow: it has not answered for ").endswith("check it and the network to it")
    assert client.made("volumes", size=1, volume_type="other")["status"] == "available"
    for thread in asking:
        thread.join()
    assert set(answers) == {503} and len(answers) == len(asking)
    named(service, "Glance did not answer the last request: ConnectTimeout")
    assert metrics()["outgoing_request_seconds_count"]['outcome="failed",service="Glance"'] == 2


def test_a_backend_that_hangs_at_the_start_does_not_keep_hosts_from_others():
    service = Service(backends=("hung", "other"), sections=SECTIONS, default="service_down_time = 2", target=False)
    gate = os.path.join(service.state, "hung", ".hold-check")
    os.makedirs(os.path.dirname(gate))
    open(gate, "w").close()
    service.begin()
    try:
        hung, other = service.volume.backends
        until(lambda: service.volume.ready, "the service to be ready")
        assert (hung.started, other.started, other.backend.target.access_enabled) == (False, True, True)
        os.unlink(gate)
        until(lambda: hung.started and hung.backend.target.access_enabled, "the backend to work")
    finally:
        service.stop()
        service.remove()
