"""Four processes with a broker: each serves its metrics, and a request is one trace through all of them."""

import urllib.request

import pytest

from tests.functional.collector import Collector
from tests.services import checks, daemons, load, processes

#: What each process has counted of a volume that was made, connected and backed up, beside what the database knows.
COUNTED = {
    "api": ('http_request_seconds_count{method="POST",route="/volumes",status="202"}',
            'rpc_call_seconds_count{method="connect",outcome="done",topic="cinder_lite-volume"}',
            'rpc_casts_total{method="run_job",outcome="sent",topic="cinder_lite-scheduler"}'),
    "scheduler": ('job_seconds_count{action="create",kind="volume",outcome="passed on",stage="scheduler"}',
                  'service_up{binary="cinder-backup",host="test"}', 'backend_up{host="test@file"}'),
    "volume": ('job_seconds_count{action="create",kind="volume",outcome="succeeded",stage="volume"}',
               'driver_call_seconds_count{backend="file",call="create",outcome="done"}',
               'rpc_served_seconds_count{method="connect",outcome="done",topic="cinder_lite-volume"}'),
    "backup": ('job_seconds_count{action="create",kind="backup",outcome="succeeded",stage="backup"}',
               'copied_bytes_total{action="create",kind="backup"}'),
}
SPANS = {"POST /volumes", "job create volume at scheduler", "job create volume at volume", "driver create on file",
         "serve run_job of cinder_lite-scheduler", "serve run_job of cinder_lite-volume"}
#: What the processes receive messages from.
QUEUES = ("cinder_lite-scheduler", "cinder_lite-volume.test@file", "cinder_lite-backup.test")
OF_BACKUP = {"POST /backups", "job create backup at backup"}


@pytest.fixture
def collector():
    running = Collector()
    yield running
    running.stop()


@pytest.fixture
def ports():
    return {name: processes.free_port() for name in daemons.NAMES}


@pytest.fixture
def service(request, broker, collector, ports):
    database = request.getfixturevalue("mariadb")
    database.emptied()
    changes = {"metrics": {"enabled": True, "ports": ",".join(f"{name}:{port}" for name, port in ports.items())},
               # With more than one, each of them is to send its last spans.
               "DEFAULT": {"osapi_volume_workers": 2},
               "tracing": {"enabled": True, "endpoint": f"http://127.0.0.1:{collector.port}/v1/traces"}}
    with daemons.Daemons(database.url, broker.url, changes=changes, extra="tracing") as four:
        four.database = database
        four.start()
        # A service is up before it receives: what is cast until then is lost, and a sweep finds the job.
        processes.until(lambda: all(map(broker.consumers, QUEUES)), what="everybody receiving messages")
        yield four


def made(service, kind, **values):
    """Create a resource with a known request id; returns (request id, resource id)."""
    status, body = service.request("POST", f"/{kind}", {kind[:-1]: values})
    assert status == 202, body
    checks.await_rest(service, service.database)
    id = body[kind[:-1]]["id"]
    jobs = service.request("GET", f"/jobs?resource_id={id}")[1]["jobs"]
    return jobs[0]["request_id"], id


def test_each_process_serves_its_metrics(service, collector, ports):
    volume_request, volume = made(service, "volumes", size=1)
    status, body = service.request("POST", f"/volumes/{volume}/action", {
        "os-initialize_connection": {"connector": load.CONNECTOR}})
    assert status == 200, body
    backup_request, _ = made(service, "backups", volume_id=volume, force=True)
    for name, lines in COUNTED.items():
        with urllib.request.urlopen(f"http://127.0.0.1:{ports[name]}/metrics", timeout=60) as answer:
            shown = dict(line.rpartition(" ")[::2] for line in answer.read().decode().splitlines())
        assert [line for line in lines if float(shown.get(f"cinder_lite_{line}", 0)) <= 0] == [], (name, shown)
    # Spans are sent in batches, the last when a service ends.
    assert service.stop() == dict.fromkeys(daemons.NAMES, 0)
    assert SPANS <= collector.of(volume_request).keys()
    assert OF_BACKUP <= collector.of(backup_request).keys()
    assert collector.services == {f"cinder-lite-{name}" for name in daemons.NAMES}
