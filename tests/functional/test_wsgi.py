"""The API under gunicorn and uWSGI with two processes each, started as docs/install.md describes."""

import concurrent.futures
import contextlib
import json
import os
import re
import shlex
import signal
import socket
import sqlite3
import sys

import pytest
import requests

from tests.functional.client import PROJECT, Client
from tests.functional.service import Apart, until
from tests.meta.source import TOP
from tests.services.processes import Process, free_port

CHAPTER = "## The API under uWSGI, gunicorn or Apache\n"
HEADERS = {"X-Auth-Token": f"tester:{PROJECT}", "Content-Type": "application/json"}
VOLUMES = f"/v3/{PROJECT}/volumes"
HEAD = "POST {path} HTTP/1.1\r\nHost: x\r\nX-Auth-Token: t:{project}\r\nContent-Type: application/json\r\n"
#: A hosted API has no messages from other processes here: jobs are found by the sweep. Steps of a create are logged.
DEFAULT = ("job_sweep_interval = 0.1\nquota_volumes = -1\nquota_gigabytes = -1\nallow_noauth_anywhere = true\n"
           "default_log_levels = cinder_lite.volume.flows=DEBUG")


def command(server):
    """(environment, arguments) of the server's command line in the page."""
    chapter = (TOP / "docs/install.md").read_text().split(CHAPTER)[1].split("\n## ")[0]
    line, = [line.strip() for line in chapter.splitlines() if line.startswith("    ") and f" {server} " in line]
    setting, program, *arguments = shlex.split(line)
    assert program == server
    return dict([setting.split("=")]), arguments


class Hosted:
    """The API of a service's installation under a WSGI server; `url` is its address."""

    def __init__(self, service, server):
        self.service, self.server, self.port = service, server, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        env, arguments = command(server)
        env = {name: value.replace("/etc/cinder/cinder.conf", service.config_file) for name, value in env.items()}
        arguments = [word.replace("127.0.0.1:8776", f"127.0.0.1:{self.port}") for word in arguments]
        self.output = os.path.join(service.state, f"{server}-{self.port}")
        program = os.path.join(os.path.dirname(sys.executable), server)
        self.process = Process(server, [program, *arguments], self.output, {"PYTHONPATH": str(TOP), **env})
        # The tests' own mode is not the server's.
        self.process.env.pop("CINDER_LITE_CONCURRENCY", None)

    def __enter__(self):
        self.process.start()
        self.process.wait(self.answers)
        return self

    def __exit__(self, *exception):
        self.process.kill()

    def answers(self):
        try:
            return requests.get(f"{self.url}/healthcheck", timeout=60).ok
        except requests.ConnectionError:
            return False

    def log(self):
        with open(self.output) as file:
            return file.read()

    def workers(self, method):
        """The ids of the processes that have answered requests of that method."""
        return set(re.findall(rf" (\d+) (?:INFO|DEBUG) cinder_lite\.api\.app .* {method} ", self.log()))

    @contextlib.contextmanager
    def locked(self):
        """No other process writes to the database meanwhile."""
        path = f"{self.service.state}/cinder.sqlite"
        with contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=60)) as held:
            held.execute("BEGIN IMMEDIATE")
            yield
            held.execute("ROLLBACK")


@pytest.fixture(scope="module")
def beside():
    service = Apart(backends=("null-1",), target=False, default=DEFAULT)
    service.launch("all")
    try:
        service.main.wait(service.answers)
        yield service
    finally:
        service.stop()
        service.remove()


@pytest.fixture(scope="module", params=["gunicorn", "uwsgi"])
def hosted(request, beside):
    with Hosted(beside, request.param) as server:
        yield server


def create(hosted, name):
    return requests.post(f"{hosted.url}{VOLUMES}", headers=HEADERS, timeout=60,
                         data=json.dumps({"volume": {"size": 1, "name": name}}))


def test_a_volume_is_created_and_deleted(hosted):
    client = Client(hosted.url)
    volume = client.made("volumes", size=1, name="first")
    assert client("GET", "/volumes?name=first", expect=200)["volumes"][0]["id"] == volume["id"]
    client("DELETE", f"/volumes/{volume['id']}", expect=202)
    client.gone("volumes", volume["id"])


def test_both_processes_answer_requests_at_the_same_time(hosted):
    client = Client(hosted.url)
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        def answered():
            answers = list(threads.map(lambda number: create(hosted, f"of-{number}"), range(8)))
            assert [one.status_code for one in answers] == [202] * 8, [one.text for one in answers]
            for one in answers:
                client.settled("volumes", one.json()["volume"]["id"])
                client("DELETE", f"/volumes/{one.json()['volume']['id']}", expect=202)
            return len(hosted.workers("POST")) == 2

        until(answered, "both processes to have answered")


def test_a_large_body_is_refused_so_that_the_client_gets_the_answer(hosted):
    answer = requests.post(f"{hosted.url}{VOLUMES}", headers=HEADERS, timeout=60, data=b" " * 8 * 1024**2)
    assert answer.status_code == 413 and "8388608 bytes" in answer.json()["overLimit"]["message"]


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff\xfe", b'{"volume": 1}', b'{"volume": {"size": "many"}}'])
def test_a_malformed_body_is_refused(hosted, body):
    answer = requests.post(f"{hosted.url}{VOLUMES}", headers=HEADERS, timeout=60, data=body)
    assert answer.status_code == 400 and answer.json()["badRequest"]["message"]


@pytest.mark.parametrize("rest", ['Content-Length: 1000\r\n\r\n{"volume": {"size": 1, "name": "cut off"}}',
                                  'Transfer-Encoding: chunked\r\n\r\n'
                                  '2a\r\n{"volume": {"size": 1, "name": "cut off"}}\r\n'])
def test_a_body_that_breaks_off_creates_nothing(hosted, rest):
    client = Client(hosted.url)
    with socket.create_connection(("127.0.0.1", hosted.port), timeout=60) as connection:
        connection.sendall((HEAD.format(path=VOLUMES, project=PROJECT) + rest).encode())
        connection.shutdown(socket.SHUT_WR)
        said = b""
        while piece := connection.recv(65536):
            said += piece
    assert not said or said.split()[1] in (b"400", b"411"), said
    assert client("GET", "/volumes?name=cut off", expect=200)["volumes"] == []


def test_a_body_in_chunks_is_read_or_refused(hosted):
    chunks = iter([b'{"volume": ', b'{"size": 1}}'])
    answer = requests.post(f"{hosted.url}{VOLUMES}", headers=HEADERS, timeout=60, data=chunks)
    assert answer.status_code == (202 if hosted.server == "gunicorn" else 411), answer.text


@pytest.mark.parametrize("server", ["gunicorn", "uwsgi"])
def test_sigterm_ends_it_after_the_requests_in_progress(beside, server):
    with Hosted(beside, server) as hosted, concurrent.futures.ThreadPoolExecutor(1) as threads:
        with hosted.locked():
            asked = threads.submit(create, hosted, "last")
            until(lambda: "'RUNNING'" in hosted.log(), "the request to be in progress")
            hosted.process.send(signal.SIGTERM)
            until(lambda: re.search("Handling signal: term|gracefully", hosted.log()), "the signal to be handled")
        answer = asked.result()
        assert answer.status_code == 202, answer.text
        assert hosted.process.wait_end() == 0
    assert Client(beside.url).settled("volumes", answer.json()["volume"]["id"])["name"] == "last"


def test_unusable_settings_are_refused_with_the_reason_in_the_log(beside, tmp_path):
    settings = tmp_path / "cinder.conf"
    text = open(beside.config_file).read()
    settings.write_text(text.replace("allow_noauth_anywhere = true", ""))
    hosted = Hosted(beside, "gunicorn")
    hosted.process.env["CINDER_LITE_CONFIG_FILES"] = str(settings)
    hosted.process.start()
    try:
        hosted.process.wait(lambda: "Listening at" in hosted.log())
        answer = requests.get(f"{hosted.url}/v3", timeout=60)
        assert answer.status_code == 503 and "not configured" in answer.json()["serviceUnavailable"]["message"]
        assert "auth_strategy is noauth" in hosted.log()
    finally:
        hosted.process.kill()


def test_importing_it_opens_nothing_and_starts_no_thread():
    looked = ("import os, threading; before = set(os.listdir('/proc/self/fd')); import cinder_lite.wsgi.api as api; "
              "assert callable(api.application); assert threading.active_count() == 1; "
              "assert set(os.listdir('/proc/self/fd')) == before, os.listdir('/proc/self/fd')")
    env = {name: value for name, value in os.environ.items() if name != "CINDER_LITE_CONCURRENCY"}
    process = Process("import", [sys.executable, "-c", looked], os.devnull, env)
    process.start()
    assert process.wait_end() == 0
