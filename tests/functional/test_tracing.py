"""OpenTelemetry traces: one for each request, from HTTP to the driver."""

import subprocess
import sys

import pytest

from tests.functional.client import Client
from tests.functional.collector import Collector
from tests.functional.service import NULL, Service, until


@pytest.fixture(scope="module")
def collector():
    running = Collector()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def service(collector):
    on = f"[tracing]\nenabled = true\nendpoint = http://127.0.0.1:{collector.port}/v1/traces\n"
    with Service(backends=("null-1",), target=False, sections={"null-1": NULL + on}) as running:
        yield running
        running.process.meter.flush()


def test_a_request_is_a_trace_down_to_the_driver(service, collector):
    client = Client(service.url)
    volume = client.made("volumes", size=1)
    request_id = client("GET", f"/jobs?resource_id={volume['id']}", expect=200)["jobs"][0]["request_id"]
    wanted = {"POST /volumes", "job create volume at scheduler", "job create volume at volume",
              "driver create on null-1",
              "serve run_job of cinder_lite-scheduler", "serve run_job of cinder_lite-volume"}

    def there():
        service.process.meter.flush()
        return wanted <= collector.of(request_id).keys()

    until(there, f"{wanted}")
    spans = collector.of(request_id)
    root = spans["POST /volumes"]
    assert root.parent_span_id == b""
    assert {name for name, span in spans.items() if span.parent_span_id != root.span_id} == {"POST /volumes"}
    assert len({span.span_id for span in spans.values()}) == len(spans)
    assert spans["driver create on null-1"].start_time_unix_nano <= spans["driver create on null-1"].end_time_unix_nano
    assert {value.value.string_value for value in root.attributes
            if value.key == "cinder_lite.request_id"} == {request_id}


def test_work_without_a_request_has_no_trace(service, collector):
    service.process.meter.flush()
    assert [span.name for span in collector.spans if span.name.startswith("driver check")] == []


def test_nothing_is_imported_where_it_is_off():
    ran = subprocess.run([sys.executable, "-c",
                          "import sys, cinder_lite.cmd.all; print('opentelemetry' in sys.modules)"],
                         capture_output=True, text=True, timeout=120)
    assert ran.stdout.strip() == "False", ran.stderr
