"""Traces as a collector of OpenTelemetry gets them: one for each request, from HTTP to the driver."""

import http.server
import subprocess
import sys
import threading

import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

from tests.functional.client import Client
from tests.functional.service import NULL, Service, until
from tests.services.processes import free_port


class Collector:
    """Takes spans by OTLP over HTTP."""

    def __init__(self):
        spans = self.spans = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                request = trace_service_pb2.ExportTraceServiceRequest()
                request.ParseFromString(self.rfile.read(int(self.headers["Content-Length"])))
                spans.extend(span for resource in request.resource_spans for scope in resource.scope_spans
                             for span in scope.spans)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_arguments):
                pass

        self.port = free_port()
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def of(self, request_id):
        """{name: span} of the trace of a request."""
        trace = bytes.fromhex(request_id.removeprefix("req-").replace("-", ""))
        return {span.name: span for span in self.spans if span.trace_id == trace}

    def stop(self):
        self._server.shutdown()
        self._server.server_close()


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
    wanted = {"POST /volumes", "job create volume at scheduler", "job create volume at volume", "driver create on null-1",
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
    assert {value.value.string_value for value in root.attributes if value.key == "cinder_lite.request_id"} == {request_id}


def test_what_is_done_for_nobody_is_no_trace(service, collector):
    service.process.meter.flush()
    assert [span.name for span in collector.spans if span.name.startswith("driver check")] == []


def test_nothing_is_imported_where_it_is_off():
    ran = subprocess.run([sys.executable, "-c", "import sys, cinder_lite.cmd.all; print('opentelemetry' in sys.modules)"],
                         capture_output=True, text=True, timeout=120)
    assert ran.stdout.strip() == "False", ran.stderr
