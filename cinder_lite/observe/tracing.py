"""Spans for OpenTelemetry, of what is measured: each request is a trace, whose id is the request's.

So nothing has to travel from service to service but the request's id, which goes with the job's row: a trace is whole when
messages are lost and services die. Its first span is the request; jobs, messages and drivers' calls lie below it.
"""

import threading
import time
import uuid

from oslo_context import context

from cinder_lite import errors
from cinder_lite.service import daemon

#: What becomes a span -> its name, made from the labels of the metric.
SPANS = {
    "http_request_seconds": "{0} {1}",
    "job_seconds": "job {1} {0} at {2}",
    "driver_call_seconds": "driver {1} on {0}",
    "rpc_call_seconds": "call {1} of {0}",
    "rpc_served_seconds": "serve {1} of {0}",
}
ROOT = "http_request_seconds"
#: Seconds that sending the last spans may take when a process ends.
FLUSH = 5


def _ids(request_id):
    """(trace id, id of the first span) of a request, None for what is no request of this service's."""
    try:
        number = uuid.UUID((request_id or "").removeprefix("req-")).int
    except ValueError:
        return None
    return number, number & (2**64 - 1) or 1


def expect_library():
    """Raise Misconfigured where OpenTelemetry is not installed."""
    try:
        import opentelemetry.exporter.otlp.proto.http  # noqa: F401
        import opentelemetry.sdk.trace  # noqa: F401
    except ImportError as error:
        raise errors.Misconfigured("[tracing] enabled needs OpenTelemetry: install cinder-lite[tracing], or switch it "
                                   "off") from error


class Tracer:
    """Stands where a metrics.Meter does: makes spans of what is observed, and hands all on to `meter`, which may be None."""

    def __init__(self, endpoint, name, meter):
        expect_library()
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk import resources
        from opentelemetry.sdk import trace as sdk
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        self._trace, self._meter = trace, meter
        self._generator = _generator(sdk.id_generator.RandomIdGenerator)()
        self._provider = sdk.TracerProvider(id_generator=self._generator, shutdown_on_exit=False,
                                            resource=resources.Resource.create({"service.name": name}))
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
        self._tracer = self._provider.get_tracer("cinder_lite")
        daemon.at_the_end(self.flush)

    def count(self, name, amount, *labels):
        if self._meter is not None:
            self._meter.count(name, amount, *labels)

    def observe(self, name, seconds, *labels):
        if self._meter is not None:
            self._meter.observe(name, seconds, *labels)
        asked = context.get_current()
        ids = _ids(asked.request_id) if name in SPANS and asked is not None else None
        if ids is not None:
            self._span(name, seconds, labels, ids, asked)

    def _span(self, name, seconds, labels, ids, asked):
        ended, parent = time.time_ns(), None
        if name == ROOT:
            self._generator.next.ids = ids
        else:
            parent = self._trace.set_span_in_context(self._trace.NonRecordingSpan(self._trace.SpanContext(
                *ids, is_remote=True, trace_flags=self._trace.TraceFlags(self._trace.TraceFlags.SAMPLED))))
        span = self._tracer.start_span(
            SPANS[name].format(*labels), context=parent, start_time=ended - int(seconds * 1e9),
            kind=self._trace.SpanKind.SERVER if name == ROOT else self._trace.SpanKind.INTERNAL,
            attributes={"cinder_lite.request_id": asked.request_id, "cinder_lite.project_id": asked.project_id or "",
                        "cinder_lite.outcome": str(labels[-1])})
        self._generator.next.ids = None
        if labels[-1] == "failed" or name == ROOT and int(labels[-1]) >= 500:
            span.set_status(self._trace.StatusCode.ERROR)
        span.end(ended)

    def flush(self):
        """Send what has not been sent."""
        self._provider.force_flush(FLUSH * 1000)


def _generator(base):
    """A class of ids that are random, unless those of a request have been put down for this thread."""
    class Generator(base):
        next = threading.local()

        def generate_trace_id(self):
            ids = getattr(self.next, "ids", None)
            return ids[0] if ids else super().generate_trace_id()

        def generate_span_id(self):
            ids = getattr(self.next, "ids", None)
            return ids[1] if ids else super().generate_span_id()

    return Generator
