"""Sends measurements as OpenTelemetry spans: each request is a trace, whose id is derived from the request id.

Services exchange only the request id, which is in the job's row, so a trace is complete even if messages are lost and
services crash. Its root span is the request; jobs, messages and driver calls are its children.
"""

import typing
import uuid

from oslo_config import cfg
from oslo_context import context

from cinder_lite import errors
from cinder_lite.concurrency import clock, locks
from cinder_lite.host import exit

#: Metrics that become spans -> the span's name, formatted with the metric's labels.
SPANS = {
    "http_request_seconds": "{0} {1}",
    "job_seconds": "job {1} {0} at {2}",
    "driver_call_seconds": "driver {1} on {0}",
    "rpc_call_seconds": "call {1} of {0}",
    "rpc_served_seconds": "serve {1} of {0}",
}
ROOT = "http_request_seconds"
#: Timeout in seconds for sending the last spans when a process ends.
FLUSH = 5


def _ids(request_id):
    """(trace id, root span id) of a request, None for another form of request id."""
    try:
        number = uuid.UUID((request_id or "").removeprefix("req-")).int
    except ValueError:
        return None
    return number, number & (2**64 - 1) or 1


def expect_library() -> None:
    """Raise Misconfigured if OpenTelemetry is not installed."""
    try:
        import opentelemetry.exporter.otlp.proto.http  # noqa: F401
        import opentelemetry.sdk.trace  # noqa: F401
    except ImportError as error:
        raise errors.Misconfigured("[tracing] enabled needs OpenTelemetry: install cinder-lite[tracing], or set "
                                   "enabled = false") from error


def expect_library_if_enabled(conf: cfg.ConfigOpts) -> None:
    """Raise Misconfigured if tracing is enabled and OpenTelemetry is not installed."""
    if conf.tracing.enabled:
        expect_library()


class Tracer:
    """A metrics.Meter that creates spans of observations, and forwards all to `meter` unless that is None."""

    def __init__(self, endpoint: str, name: str, meter: typing.Any) -> None:
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
        exit.register(self.flush)

    def count(self, name: str, amount: float, *labels: str) -> None:
        if self._meter is not None:
            self._meter.count(name, amount, *labels)

    def observe(self, name: str, seconds: float, *labels: str) -> None:
        if self._meter is not None:
            self._meter.observe(name, seconds, *labels)
        ctx = context.get_current()
        ids = _ids(ctx.request_id) if name in SPANS and ctx is not None else None
        if ids is not None:
            self._span(name, seconds, labels, ids, ctx)

    def _span(self, name, seconds, labels, ids, ctx):
        ended, parent = int(clock.time() * 1e9), None
        if name == ROOT:
            self._generator.next.ids = ids
        else:
            parent = self._trace.set_span_in_context(self._trace.NonRecordingSpan(self._trace.SpanContext(
                *ids, is_remote=True, trace_flags=self._trace.TraceFlags(self._trace.TraceFlags.SAMPLED))))
        span = self._tracer.start_span(
            SPANS[name].format(*labels), context=parent, start_time=ended - int(seconds * 1e9),
            kind=self._trace.SpanKind.SERVER if name == ROOT else self._trace.SpanKind.INTERNAL,
            attributes={"cinder_lite.request_id": ctx.request_id, "cinder_lite.project_id": ctx.project_id or "",
                        "cinder_lite.outcome": str(labels[-1])})
        self._generator.next.ids = None
        if labels[-1] == "failed" or name == ROOT and int(labels[-1]) >= 500:
            span.set_status(self._trace.StatusCode.ERROR)
        span.end(ended)

    def flush(self) -> None:
        """Send the pending spans."""
        self._provider.force_flush(FLUSH * 1000)


def _generator(base):
    """A class that generates random ids, unless `next.ids` is set in the calling thread."""
    class Generator(base):
        next = locks.local()

        def generate_trace_id(self):
            ids = getattr(self.next, "ids", None)
            return ids[0] if ids else super().generate_trace_id()

        def generate_span_id(self):
            ids = getattr(self.next, "ids", None)
            return ids[1] if ids else super().generate_span_id()

    return Generator
