"""Prometheus metrics: the table of all metrics, their recording, and their HTTP endpoint.

Objects that record have an attribute `meter`, None if metrics are off; then prometheus_client is not imported. The
workers of the API record in shared files, so that each of them can return the metrics of all.
"""

import contextlib
import dataclasses
import glob
import logging
import os
import shutil
import socket
import stat
from collections.abc import Callable, Iterable, Iterator

from oslo_config import cfg

from cinder_lite import db
from cinder_lite.concurrency import awaited, http_limits, http_server, native_threads
from cinder_lite.concurrency.pool import Pool
from cinder_lite.conf.metrics import PORTS
from cinder_lite.db import engines, job_queries, pools, services

LOG = logging.getLogger(__name__)

PREFIX = "cinder_lite_"
COUNTER, GAUGE, HISTOGRAM = "counter", "gauge", "histogram"
#: Upper bounds of buckets in seconds: for requests and calls, and for jobs.
QUICK = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
SLOW = (0.1, 0.5, 1, 5, 15, 60, 300, 1800, 7200, 43200)


@dataclasses.dataclass(frozen=True)
class Metric:
    """One metric; `name` is without the prefix, counters are exposed with the suffix _total."""

    kind: str
    name: str
    help: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()


#: (name, values of its labels, value) of a gauge
Sample = tuple[str, tuple, float]

#: Recorded by the services.
COUNTED = (
    Metric(HISTOGRAM, "http_request_seconds", "Time to answer requests.", ("method", "route", "status"), QUICK),
    Metric(HISTOGRAM, "job_seconds", "Age of jobs when a service completed its stage of them.",
           ("kind", "action", "stage", "outcome"), SLOW),
    Metric(COUNTER, "copied_bytes", "Bytes of volumes, images and backups copied by jobs.", ("kind", "action")),
    Metric(HISTOGRAM, "driver_call_seconds", "Duration of calls of drivers and targets.",
           ("backend", "call", "outcome"), QUICK),
    Metric(COUNTER, "rpc_casts", "Messages that trigger jobs of other services.", ("topic", "method", "outcome")),
    Metric(HISTOGRAM, "rpc_call_seconds", "Time waited for replies of other services.",
           ("topic", "method", "outcome"), QUICK),
    Metric(HISTOGRAM, "rpc_served_seconds", "Time to process messages of other services.",
           ("topic", "method", "outcome"), QUICK),
    Metric(HISTOGRAM, "outgoing_request_seconds", "Time waited for replies of Keystone, Glance and Nova.",
           ("service", "outcome"), QUICK),
    Metric(GAUGE, "database_connections", "Database connections in use.", ("kind",)),
    Metric(HISTOGRAM, "database_use_seconds", "Time that database connections were in use.", ("kind",), QUICK),
    Metric(COUNTER, "database_deadlocks", "Transactions that the database rolled back because of a deadlock or of a "
           "lock that was not released in time. Each is repeated up to 10 times."),
)
#: Read from the database when the scheduler's metrics are requested.
STANDING = (
    Metric(GAUGE, "database_up", "Whether the database answers."),
    Metric(GAUGE, "jobs", "Unfinished jobs.", ("kind", "action", "stage", "status")),
    Metric(GAUGE, "jobs_oldest_seconds", "Age of the oldest unfinished job.", ("kind", "action", "stage", "status")),
    Metric(GAUGE, "job_unclaimed_seconds", "Waiting time of the oldest unclaimed job."),
    Metric(GAUGE, "service_up", "Whether a service is up.", ("binary", "host")),
    Metric(GAUGE, "backend_up", "Whether a backend works.", ("host",)),
    Metric(GAUGE, "backup_store_up", "Whether a backup service can use its store.", ("host",)),
    Metric(GAUGE, "pool_total_bytes", "Total capacity of a pool.", ("pool",)),
    Metric(GAUGE, "pool_free_bytes", "Free capacity of a pool.", ("pool",)),
    Metric(GAUGE, "pool_provisioned_bytes", "Capacity provisioned in a pool.", ("pool",)),
    Metric(GAUGE, "pool_allocated_bytes", "Capacity allocated in a pool to volumes of this installation.", ("pool",)),
    Metric(GAUGE, "pool_volumes", "Volumes in it.", ("pool",)),
)
GIB = 1024**3
BACKUP = "cinder-backup"
#: Seconds that the database has for its metrics, each of which takes a thread for as long as it does not answer.
DATABASE_TIMEOUT = 5
_CHECKS = Pool(4)


class Meter:
    """Records this process's metrics. Can be called from green and from native threads."""

    def __init__(self):
        import prometheus_client as client
        from prometheus_client import metrics, registry, values

        # The locks are held briefly, without switching green threads; eventlet's do not exclude native threads.
        for module in (metrics, registry, values):
            module.Lock = native_threads.lock
        self.shared = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
        values.ValueClass = values.MultiProcessValue() if self.shared else values.MutexValue
        client.disable_created_metrics()
        self._client, self.registry = client, client.CollectorRegistry()
        self._metrics = {metric.name: self._build(metric) for metric in COUNTED}
        if not self.shared:
            client.ProcessCollector(registry=self.registry)

    def _build(self, metric):
        common = {"registry": self.registry, "labelnames": metric.labels}
        if metric.kind == HISTOGRAM:
            return self._client.Histogram(PREFIX + metric.name, metric.help, buckets=metric.bounds, **common)
        if metric.kind == GAUGE:
            return self._client.Gauge(PREFIX + metric.name, metric.help, multiprocess_mode="livesum", **common)
        return self._client.Counter(PREFIX + metric.name, metric.help, **common)

    def count(self, name: str, amount: float, *labels: str) -> None:
        """Add to a counter or gauge."""
        (self._metrics[name].labels(*labels) if labels else self._metrics[name]).inc(amount)

    def observe(self, name: str, seconds: float, *labels: str) -> None:
        """Add to a histogram."""
        self._metrics[name].labels(*labels).observe(seconds)

    def watch(self, database: db.Database) -> None:
        """Record the use of the database's connections, and its deadlocks."""
        engines.on_use(database.engines, lambda kind: self.count("database_connections", 1, kind), self._used)
        engines.on_contention(database.engines, lambda: self.count("database_deadlocks", 1))

    def _used(self, kind, seconds):
        self.count("database_connections", -1, kind)
        self.observe("database_use_seconds", seconds, kind)

    def text(self, standing: Callable[[], Iterable[Sample]] | None) -> bytes:
        """All metrics in Prometheus' text format, with the gauges that `standing()` yields."""
        registry = self.registry
        if self.shared:
            registry = self._client.CollectorRegistry()
            registry.register(MultiprocessCollector(self.shared))
        return self._client.generate_latest(registry) + (self._standing(standing) if standing else b"")

    def _standing(self, standing):
        registry = self._client.CollectorRegistry()
        gauges = {metric.name: self._client.Gauge(PREFIX + metric.name, metric.help, metric.labels, registry=registry)
                  for metric in STANDING}
        for name, labels, value in standing():
            (gauges[name].labels(*labels) if labels else gauges[name]).set(value)
        return self._client.generate_latest(registry)


class MultiprocessCollector:
    """Collects the metrics of all workers, ended ones included, from the files in a directory."""

    def __init__(self, directory: str) -> None:
        self._directory = directory

    def collect(self) -> Iterable:
        from prometheus_client import multiprocess

        return multiprocess.MultiProcessCollector.merge([
            path for path in glob.glob(os.path.join(self._directory, "*.db")) if self._counts(path)])

    @staticmethod
    def _counts(path):
        """Whether the file has data to collect; removes gauges of live values of ended workers."""
        lives = os.path.exists(f"/proc/{path.rpartition('_')[2].removesuffix('.db')}")
        with contextlib.suppress(FileNotFoundError):
            if lives or not os.path.basename(path).startswith("gauge_live"):
                return os.path.getsize(path) > 0
            os.remove(path)
        return False


def standing(database: db.Database, down_time: int) -> Iterator[Sample]:
    """Yield a Sample for each gauge in STANDING."""
    def read():
        with database.read() as tx:
            return (job_queries.pending(tx), job_queries.oldest_unclaimed(tx), services.page(tx),
                    pools.with_services(tx))

    try:
        found = awaited.within(_CHECKS, DATABASE_TIMEOUT, read)
    except (*db.ERRORS, awaited.Late) as error:
        LOG.warning("metrics read from the database are missing: %s", error)
        yield "database_up", (), 0
        return
    yield "database_up", (), 1
    now = db.now()
    for row in found[0]:
        labels = row.kind, row.action, row.stage, row.status
        yield "jobs", labels, row.count
        yield "jobs_oldest_seconds", labels, (now - row.since).total_seconds()
    unclaimed = found[1]
    since = unclaimed and (unclaimed.updated_at or unclaimed.created_at)
    yield "job_unclaimed_seconds", (), (now - since).total_seconds() if since else 0
    for row in found[2]:
        yield "service_up", (row.binary, row.host), services.is_up(row, down_time)
        if row.binary == BACKUP:
            yield "backup_store_up", (row.host,), services.is_up(row, down_time) and bool(row.backend_up)
    for row in found[3]:
        yield "backend_up", (row.service_host,), services.is_up(row, down_time) and bool(row.backend_up)
        if row.name is not None:
            yield from _pool(row)


def _pool(row):
    for name in ("total", "free", "provisioned", "allocated"):
        size = getattr(row, f"{name}_gb")
        if size is not None:
            yield f"pool_{name}_bytes", (row.name,), size * GIB
    yield "pool_volumes", (row.name,), row.volume_count


def listen(conf: cfg.ConfigOpts, name: str, workers: int = 1) -> socket.socket | None:
    """The socket for the metrics of the service `name`; None if metrics are off or the socket cannot be opened."""
    if not conf.metrics.enabled:
        return None
    if workers > 1:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = directory = os.path.join(conf.state_path, "metrics", name)
        shutil.rmtree(directory, ignore_errors=True)
        os.makedirs(directory)
    address = conf.metrics.address
    try:
        if address.startswith("/"):
            return _unix(os.path.join(address, f"{name}.metrics"))
        return http_server.listen(address, conf.metrics.ports.get(name, PORTS[name]))
    except (OSError, ValueError) as error:
        LOG.error("metrics cannot be served on %s: %s; correct address or ports of [metrics]", address, error)
        return None


def _unix(path):
    if os.path.exists(path) and stat.S_ISSOCK(os.stat(path).st_mode):
        os.remove(path)
    sock = http_server.listen(path)
    os.chmod(path, 0o660)
    return sock


class Exporter:
    """Serves the metrics at /metrics; `look` yields the samples of `standing`, None in services that omit them."""

    def __init__(self, meter: Meter, sock: socket.socket, look: Callable[[], Iterable[Sample]] | None = None) -> None:
        self.meter, self.look = meter, look
        self._server = http_server.WSGIServer(sock, self, http_limits.Limits(
            connections=50, requests=4, request_timeout=30, body=1024), LOG)

    def __call__(self, environ: dict, start_response: Callable) -> list[bytes]:
        if environ.get("PATH_INFO") != "/metrics" or environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [b"The metrics are at /metrics.\n"]
        body = self.meter.text(self.look)
        start_response("200 OK", [("Content-Type", "text/plain; version=0.0.4; charset=utf-8"),
                                  ("Content-Length", str(len(body)))])
        return [body]

    def start(self) -> None:
        self._server.start()

    def stop(self) -> None:
        self._server.stop(1)
