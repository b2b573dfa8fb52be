"""Prometheus metrics: values of real operations, aggregation of API workers, off by default."""

import os
import re
import signal
import socket
import subprocess
import sys

import pytest
import requests

from cinder_lite import conf
from cinder_lite.concurrency import http_server
from cinder_lite.conf.metrics import PORTS
from cinder_lite.observe import metrics
from tests.functional.client import Client
from tests.functional.service import Apart, Service, until
from tests.meta.source import TOP
from tests.services.processes import free_port

LINE = re.compile(r"(\w+)(?:\{(.*)\})? (\S+)")
ON = "{null}\n[metrics]\nenabled = true\n"
NULL = "[null-1]\nvolume_driver = null\n"
FILE = "[file-1]\nvolume_driver = file\nfile_volume_dir = {state}/volumes\ntarget_helper = nbd\n"


def parsed(text):
    """{name: {labels as written: value}}"""
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            name, labels, value = LINE.fullmatch(line).groups()
            found.setdefault(name.removeprefix(metrics.PREFIX), {})[labels or ""] = float(value)
    return found


def once(shown, name, labels):
    """Return the value of the metric with these labels."""
    seen = {}

    def there():
        seen.update(shown())
        return labels in seen.get(name, ())

    until(there, f"{name} with {labels}")
    return seen


@pytest.fixture(scope="module")
def service():
    with Service(backends=("file-1", "null-1"), target=False,
                 sections={"file-1": FILE, "null-1": ON.format(null=NULL)}) as running:
        yield running


@pytest.fixture(scope="module")
def shown(service):
    """A function that returns the metrics."""
    port = free_port()
    exporter = service.process.serve_metrics(http_server.listen("127.0.0.1", port), database_totals=True)
    yield lambda: parsed(requests.get(f"http://127.0.0.1:{port}/metrics", timeout=60).text)
    exporter.stop()


def test_work_is_counted_in_its_process(service, shown):
    client = Client(service.url)
    kind = client("POST", "/types", {"volume_type": {"name": "file", "extra_specs": {
        "volume_backend_name": "file-1"}}}, expect=200)["volume_type"]["name"]
    volume = client.made("volumes", size=1, volume_type=kind)
    backup = client.made("backups", volume_id=volume["id"])
    assert client("POST", "/volumes", {"volume": {"size": 0}})[0] == 400
    found = once(shown, "job_seconds_count", 'action="create",kind="backup",outcome="succeeded",stage="backup"')
    assert found["http_request_seconds_count"]['method="POST",route="/volumes",status="202"'] == 1
    assert found["http_request_seconds_count"]['method="POST",route="/volumes",status="400"'] == 1
    jobs = found["job_seconds_count"]
    assert jobs['action="create",kind="volume",outcome="passed on",stage="scheduler"'] == 1
    assert jobs['action="create",kind="volume",outcome="succeeded",stage="volume"'] == 1
    assert jobs['action="create",kind="backup",outcome="succeeded",stage="backup"'] == 1
    assert found["driver_call_seconds_count"]['backend="file-1",call="create",outcome="done"'] == 1
    assert found["copied_bytes_total"]['action="create",kind="backup"'] == 2**30, backup
    assert found["rpc_casts_total"]['method="run_job",outcome="sent",topic="cinder_lite-volume"'] >= 1
    assert found["rpc_call_seconds_count"]['method="open_local",outcome="done",topic="cinder_lite-volume"'] == 1
    assert found["rpc_served_seconds_count"]['method="open_local",outcome="done",topic="cinder_lite-volume"'] == 1
    assert found["database_use_seconds_count"]['kind="write"'] > 0
    assert 0 <= found["database_connections"]['kind="read"'] <= 5
    assert found["database_up"][""] == 1


def test_metrics_of_the_database_are_served(service, shown):
    found = shown()
    assert found["service_up"]['binary="cinder-scheduler",host="test"'] == 1
    assert found["backend_up"]['host="test@null-1"'] == found["backup_store_up"]['host="test"'] == 1
    pool = next(labels for labels in found["pool_volumes"] if "file-1" in labels)
    assert found["pool_free_bytes"][pool] <= found["pool_total_bytes"][pool]
    assert found["pool_allocated_bytes"][pool] % 2**30 == 0


def test_the_wait_of_a_job_is_served(service, shown):
    """A job for a backend without a service."""
    client = Client(service.url)
    assert "jobs" not in shown() and shown()["job_unclaimed_seconds"][""] == 0
    service.volume.backends[1].manager.worker.stopping = True
    kind = client("POST", "/types", {"volume_type": {"name": "null", "extra_specs": {
        "volume_backend_name": "null-1"}}}, expect=200)["volume_type"]["name"]
    volume = client.create("volumes", size=1, volume_type=kind)
    labels = 'action="create",kind="volume",stage="volume",status="queued"'
    found = once(shown, "jobs", labels)
    assert found["jobs"][labels] == 1 and found["jobs_oldest_seconds"][labels] > 0
    assert found["job_unclaimed_seconds"][""] > 0
    service.volume.backends[1].manager.worker.stopping = False
    client.settled("volumes", volume["id"])


def test_labels_are_not_for_clients_to_choose(service, shown):
    for path in ("/v3/x/nothing/at/all", "/no", "/v3/x/volumes/1/2/3"):
        requests.request("BREW", service.url + path, headers={"X-Auth-Token": "x:x"}, timeout=60)
    labels = [found for found in shown()["http_request_seconds_count"] if "other" in found]
    assert {found.partition(",status")[0] for found in labels} == {'method="other",route="none"'}


def test_every_metric_of_the_table_is_shown(service, shown):
    found = shown().keys()
    missing = [metric.name for metric in (*metrics.COUNTED, *metrics.STANDING)
               if not {metric.name, f"{metric.name}_total", f"{metric.name}_count"} & found and metric.name not in (
                   "jobs", "jobs_oldest_seconds", "outgoing_request_seconds")]  # of other services, which are not here
    assert missing == []


def test_other_paths_name_the_metrics_path(service):
    port = free_port()
    exporter = service.process.serve_metrics(http_server.listen("127.0.0.1", port))
    answer = requests.get(f"http://127.0.0.1:{port}/", timeout=60)
    assert (answer.status_code, answer.text) == (404, "The metrics are at /metrics.\n")
    exporter.stop()


class Workers(Apart):
    """An API of two workers, without the other services, whose metrics are on a socket of a directory."""

    def start(self):
        synced = subprocess.run([sys.executable, "-m", "cinder_lite.cmd.manage", "db", "sync", "--config-file",
                                 self.config_file],
                                env={**os.environ, "PYTHONPATH": str(TOP)}, capture_output=True, text=True, timeout=120)
        assert synced.returncode == 0, synced.stderr
        self.launch("api")
        self.main.wait(self.answers)
        return self

    def children(self):
        with open(f"/proc/{self.main.pid}/task/{self.main.pid}/children") as file:
            return [int(pid) for pid in file.read().split()]

    def shown(self):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(60)
            sock.connect(os.path.join(self.state, "api.metrics"))
            sock.sendall(b"GET /metrics HTTP/1.0\r\nHost: here\r\nConnection: close\r\n\r\n")
            answer = b"".join(iter(lambda: sock.recv(65536), b"")).decode()
        head, _, body = answer.partition("\r\n\r\n")
        assert head.split(" ", 2)[1] == "200", self.main.tail()
        return parsed(body)


def test_workers_are_counted_as_one_service(tmp_path):
    options = f"[metrics]\nenabled = true\naddress = {tmp_path}\n"
    with Workers(backends=("null-1",), target=False, default="osapi_volume_workers = 2",
                 sections={"null-1": NULL + options}) as running:
        os.symlink(tmp_path / "api.metrics", os.path.join(running.state, "api.metrics"))
        assert os.stat(tmp_path / "api.metrics").st_mode & 0o777 == 0o660

        def ask(times):
            for _ in range(times):
                # A connection each: any worker may take it.
                assert requests.get(f"{running.url}/v3/a1/volumes", headers={"X-Auth-Token": "a:a1"}, timeout=60).ok

        def asked():
            return running.shown()["http_request_seconds_count"]['method="GET",route="/volumes",status="200"']

        ask(30)
        assert [asked() for _ in range(10)] == [30] * 10
        dead = running.children()[0]
        os.kill(dead, signal.SIGKILL)
        until(lambda: dead not in running.children() and len(running.children()) == 2, "another worker")
        ask(5)
        assert [asked() for _ in range(10)] == [35] * 10
        assert not [name for name in os.listdir(os.path.join(running.state, "metrics", "api"))
                    if name == f"gauge_livesum_{dead}.db"]


def test_nothing_is_imported_where_metrics_are_off():
    ran = subprocess.run([sys.executable, "-c",
                          "import sys, cinder_lite.cmd.all; print('prometheus_client' in sys.modules)"],
                         capture_output=True, text=True, timeout=120)
    assert ran.stdout.strip() == "False", ran.stderr


def test_an_omitted_port_has_its_default(tmp_path):
    # An address of the loopback that nobody else uses.
    file = tmp_path / "cinder.conf"
    file.write_text(f"[metrics]\nenabled = true\naddress = 127.200.0.7\nports = api:{free_port()}\n")
    loaded = conf.load(["--config-file", str(file)])
    found = {}
    for name in ("api", "volume"):
        with metrics.listen(loaded, name) as sock:
            found[name] = sock.getsockname()[1]
    assert found == {"api": loaded.metrics.ports["api"], "volume": PORTS["volume"]}
