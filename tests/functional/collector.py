"""An OpenTelemetry collector that receives spans by OTLP over HTTP."""

import http.server
import threading

from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

from tests.services.processes import free_port


class Collector:
    """Its `spans`, and the `services` that have sent some."""

    def __init__(self):
        spans, services = self.spans, self.services = [], set()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                request = trace_service_pb2.ExportTraceServiceRequest()
                request.ParseFromString(self.rfile.read(int(self.headers["Content-Length"])))
                services.update(value.value.string_value for resource in request.resource_spans
                                for value in resource.resource.attributes if value.key == "service.name")
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
