"""What is counted and measured, for Prometheus: the table of all metrics, who counts, and where they are shown.

What counts has an attribute `meter`, None where metrics are off; then prometheus_client is not even imported. The workers of
the API count in files that they share, so that whichever of them is asked answers for all.
"""

import contextlib
import dataclasses
import glob
import logging
import os
import shutil
import stat

from cinder_lite import concurrency, db
from cinder_lite.concurrency import http_limits, http_server
from cinder_lite.conf.metrics import PORTS
from cinder_lite.db import jobs, pools, services

LOG = logging.getLogger(__name__)

PREFIX = "cinder_lite_"
COUNTER, GAUGE, HISTOGRAM = "counter", "gauge", "histogram"
#: Upper bounds in seconds: of what users wait for, and of what takes its time.
QUICK = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
SLOW = (0.1, 0.5, 1, 5, 15, 60, 300, 1800, 7200, 43200)


@dataclasses.dataclass(frozen=True)
class Metric:
    """One row; `name` is without the prefix, counters are shown with _total behind it."""

    kind: str
    name: str
    help: str
    labels: tuple = ()
    bounds: tuple = ()


#: Counted where it happens.
COUNTED = (
    Metric(HISTOGRAM, "http_request_seconds", "Time to answer requests.", ("method", "route", "status"), QUICK),
    Metric(HISTOGRAM, "job_seconds", "Age of jobs when a service was done with them.", ("kind", "action", "stage", "outcome"),
           SLOW),
    Metric(COUNTER, "copied_bytes", "Bytes of volumes, images and backups that jobs have moved.", ("kind", "action")),
    Metric(HISTOGRAM, "driver_call_seconds", "Time of drivers' and targets' calls.", ("backend", "call", "outcome"), QUICK),
    Metric(COUNTER, "rpc_casts", "Wake-ups of other services.", ("topic", "method", "outcome")),
    Metric(HISTOGRAM, "rpc_call_seconds", "Time for which another service's answer was waited.", ("topic", "method", "outcome"),
           QUICK),
    Metric(HISTOGRAM, "rpc_served_seconds", "Time to serve messages of others.", ("topic", "method", "outcome"), QUICK),
    Metric(GAUGE, "database_connections", "Connections to the database in use.", ("kind",)),
    Metric(HISTOGRAM, "database_use_seconds", "Time for which connections to the database were in use.", ("kind",), QUICK),
)
#: Read from the database when somebody asks the scheduler.
STANDING = (
    Metric(GAUGE, "database_up", "Whether the database answers."),
    Metric(GAUGE, "jobs", "Jobs that have not ended.", ("kind", "action", "stage", "status")),
    Metric(GAUGE, "jobs_oldest_seconds", "Age of the oldest of them.", ("kind", "action", "stage", "status")),
    Metric(GAUGE, "job_unclaimed_seconds", "How long the job waits that nobody has taken for the longest time."),
    Metric(GAUGE, "service_up", "Whether a service lives.", ("binary", "host")),
    Metric(GAUGE, "backend_up", "Whether a backend can work.", ("host",)),
    Metric(GAUGE, "backup_store_up", "Whether a backup service can use its store.", ("host",)),
    Metric(GAUGE, "pool_total_bytes", "What a pool can hold.", ("pool",)),
    Metric(GAUGE, "pool_free_bytes", "What is free of it.", ("pool",)),
    Metric(GAUGE, "pool_provisioned_bytes", "Sizes that were promised in it.", ("pool",)),
    Metric(GAUGE, "pool_allocated_bytes", "Sizes of its volumes here.", ("pool",)),
    Metric(GAUGE, "pool_volumes", "Volumes in it.", ("pool",)),
)
GIB = 1024**3
BACKUP = "cinder-backup"


class Meter:
    """Counts in this process. Calls may come from green and from native threads."""

    def __init__(self):
        import prometheus_client as client
        from prometheus_client import metrics, registry, values

        # Locks are held for a few operations without a switch; those of eventlet do not keep native threads apart.
        for module in (metrics, registry, values):
            module.Lock = concurrency.native("threading").Lock
        self.shared = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
        values.ValueClass = values.MultiProcessValue() if self.shared else values.MutexValue
        client.disable_created_metrics()
        self._client, self.registry = client, client.CollectorRegistry()
        self._metrics = {metric.name: self._made(metric) for metric in COUNTED}
        if not self.shared:
            client.ProcessCollector(registry=self.registry)

    def _made(self, metric):
        about = {"registry": self.registry, "labelnames": metric.labels}
        if metric.kind == HISTOGRAM:
            return self._client.Histogram(PREFIX + metric.name, metric.help, buckets=metric.bounds, **about)
        if metric.kind == GAUGE:
            return self._client.Gauge(PREFIX + metric.name, metric.help, multiprocess_mode="livesum", **about)
        return self._client.Counter(PREFIX + metric.name, metric.help, **about)

    def count(self, name, amount, *labels):
        """Add to a counter or gauge."""
        self._metrics[name].labels(*labels).inc(amount)

    def observe(self, name, seconds, *labels):
        """Add to a histogram."""
        self._metrics[name].labels(*labels).observe(seconds)

    def watch(self, database):
        """Measure for how long its connections are in use."""
        database.on_use(lambda kind: self.count("database_connections", 1, kind), self._used)

    def _used(self, kind, seconds):
        self.count("database_connections", -1, kind)
        self.observe("database_use_seconds", seconds, kind)

    def text(self, standing):
        """All metrics in Prometheus' format, and those that `standing()` yields as (name, {labels: value})."""
        registry = self.registry
        if self.shared:
            registry = self._client.CollectorRegistry()
            registry.register(_Together(self.shared))
        return self._client.generate_latest(registry) + (self._standing(standing) if standing else b"")

    def _standing(self, standing):
        registry = self._client.CollectorRegistry()
        made = {metric.name: self._client.Gauge(PREFIX + metric.name, metric.help, metric.labels, registry=registry)
                for metric in STANDING}
        for name, labels, value in standing():
            (made[name].labels(*labels) if labels else made[name]).set(value)
        return self._client.generate_latest(registry)


class _Together:
    """What all workers have counted in the files of a directory, those that are dead included."""

    def __init__(self, directory):
        self._directory = directory

    def collect(self):
        from prometheus_client import multiprocess

        return multiprocess.MultiProcessCollector.merge([
            path for path in glob.glob(os.path.join(self._directory, "*.db")) if self._counts(path)])

    @staticmethod
    def _counts(path):
        """Whether it has begun to be written; what a dead worker held at the moment it holds no more."""
        lives = os.path.exists(f"/proc/{path.rpartition('_')[2].removesuffix('.db')}")
        with contextlib.suppress(FileNotFoundError):
            if lives or not os.path.basename(path).startswith("gauge_live"):
                return os.path.getsize(path) > 0
            os.remove(path)
        return False


def standing(database, down_time):
    """Yield (name, labels, value) of what stands in the database."""
    try:
        with database.read() as tx:
            found = jobs.standing(tx), jobs.oldest_unclaimed(tx), services.page(tx), pools.with_services(tx)
    except db.ERRORS as error:
        LOG.warning("metrics lack what stands in the database: %s", error)
        yield "database_up", (), 0
        return
    yield "database_up", (), 1
    now = db.now()
    for row in found[0]:
        labels = row.kind, row.action, row.stage, row.status
        yield "jobs", labels, row.count
        yield "jobs_oldest_seconds", labels, (now - row.since).total_seconds()
    unclaimed = found[1]
    yield "job_unclaimed_seconds", (), unclaimed and (now - (unclaimed.updated_at or unclaimed.created_at)).total_seconds() or 0
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


def listen(conf, name, workers=1):
    """The socket on which the service `name` shows its metrics, None where they are off or it cannot be had."""
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
        LOG.error("metrics cannot be shown on %s: %s; correct address or ports of [metrics]", address, error)
        return None


def _unix(path):
    if os.path.exists(path) and stat.S_ISSOCK(os.stat(path).st_mode):
        os.remove(path)
    sock = http_server.listen(path)
    os.chmod(path, 0o660)
    return sock


class Exporter:
    """Shows the metrics at /metrics; `look` is `standing` of the database, None where others show that."""

    def __init__(self, meter, sock, look=None):
        self.meter, self.look = meter, look
        self._server = http_server.WSGIServer(sock, self, http_limits.Limits(
            connections=50, requests=4, request_timeout=30, body=1024), LOG)

    def __call__(self, environ, start_response):
        if environ.get("PATH_INFO") != "/metrics" or environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [b"The metrics are at /metrics.\n"]
        body = self.meter.text(self.look)
        start_response("200 OK", [("Content-Type", "text/plain; version=0.0.4; charset=utf-8"),
                                  ("Content-Length", str(len(body)))])
        return [body]

    def start(self):
        self._server.start()

    def stop(self):
        self._server.stop(1)
