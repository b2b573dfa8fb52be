"""What the services of one process share: configuration, database, the way to the broker, and heartbeats."""

import functools
import logging
import os
import time

from cinder_lite import concurrency, conf, db, errors
from cinder_lite.concurrency import bulkhead
from cinder_lite.conf import unread
from cinder_lite.db import jobs, services
from cinder_lite.host import systemd
from cinder_lite.rpc import messaging, notification_bus, transport
from cinder_lite.service import daemon as service

LOG = logging.getLogger(__name__)


class Process:
    """Made after the last fork. What is not used is not made: connections open when they are first needed."""

    def __init__(self, configuration):
        self.conf = configuration
        try:
            os.makedirs(self.conf.state_path, exist_ok=True)
        except OSError as error:
            raise errors.Misconfigured(f"state_path {self.conf.state_path} cannot be made: {error.strerror}") from error

    def close(self):
        """Close what is open to the database."""
        if "db" in vars(self):
            self.db.dispose()

    @functools.cached_property
    def counts(self):
        """The metrics, None where they are off."""
        if not self.conf.metrics.enabled:
            return None
        from cinder_lite.observe import metrics

        return metrics.Meter()

    @functools.cached_property
    def meter(self):
        """Who is told what was done and how long it took, None where nobody is."""
        if not self.conf.tracing.enabled:
            return self.counts
        from cinder_lite.observe import tracing

        return tracing.Tracer(self.conf.tracing.endpoint, self.conf.prog, self.counts)

    def counted(self, *things):
        """Have things counted that have a `meter`; returns the first."""
        for thing in things:
            if thing is not None:
                thing.meter = self.meter
        return things[0]

    @functools.cached_property
    def db(self):
        database = db.Database(self.conf.database)
        if self.counts is not None:
            self.counts.watch(database)
        return database

    @functools.cached_property
    def events(self):
        """Who tells others on the bus, None where nobody is told."""
        if not notification_bus.is_enabled(self.conf):
            return None
        from cinder_lite.jobs import notifications

        return notifications.Events(self.db, notification_bus.Bus(self.conf), f"{self.conf.host}/{self.conf.prog}")

    @functools.cached_property
    def transport(self):
        return transport.connect(self.conf)

    @functools.cached_property
    def waiting(self):
        return bulkhead.Bulkhead(self.conf.rpc_max_waiting)

    @functools.cached_property
    def sender(self):
        return self.counted(messaging.Sender())

    def client(self, interface):
        return self.counted(messaging.Client(self.transport, interface, self.sender, self.conf.rpc_reply_timeout, self.waiting))

    def server(self, interface, manager, host):
        return self.counted(messaging.Server(self.transport, interface, manager, host))

    def show_metrics(self, sock, standing=False):
        """Show them on a socket of metrics.listen, with what stands in the database if so wanted. Returns what does it."""
        if sock is None:
            return None
        from cinder_lite.observe import metrics

        look = (lambda: metrics.standing(self.db, self.conf.service_down_time)) if standing else None
        exporter = metrics.Exporter(self.counts, sock, look)
        exporter.start()
        return exporter

    @functools.cached_property
    def volume(self):
        from cinder_lite.volume.rpcapi import VolumeRPC

        return self.client(VolumeRPC)

    @functools.cached_property
    def scheduler(self):
        from cinder_lite.scheduler.rpcapi import SchedulerRPC

        return self.client(SchedulerRPC)

    @functools.cached_property
    def backup(self):
        from cinder_lite.backup.rpcapi import BackupRPC

        return self.client(BackupRPC)


class Heartbeat:
    """Says at every report_interval that a service lives, and prolongs the leases of the jobs it works on.

    `facts()` gives further columns of the service's row, and `recorded(row)` is called with the row after each.
    """

    def __init__(self, process, binary, host, zone, instance, facts=dict, recorded=None):
        self.process, self.binary, self.host, self.zone, self.instance = process, binary, host, zone, instance
        self.facts, self.recorded = facts, recorded
        interval = min(process.conf.report_interval, process.conf.job_lease / 3)
        self._beats = concurrency.Periodic(interval, self.beat, self._missed)
        self._beating = False

    def start(self):
        """The first heartbeat, waiting for the database as long as it takes, then one each interval."""
        wait_for(self.beat, "the database")
        if not self._beating:
            self._beating = True
            self._beats.start()

    def stop(self):
        self._beats.stop()
        once(self._say_goodbye)

    @db.retried
    def beat(self):
        with self.process.db.write() as tx:
            row = services.beat(tx, self.binary, self.host, self.zone, self.instance, **self.facts())
        # By itself: it waits for the transactions that end jobs, and that must not make the service look dead.
        with self.process.db.write() as tx:
            jobs.renew(tx, self.owner, self.process.conf.job_lease)
        if self.recorded is not None:
            self.recorded(row)
        return row

    @property
    def owner(self):
        """The name under which this process claims jobs."""
        return f"{self.host}/{self.instance}"

    def _say_goodbye(self):
        with self.process.db.write() as tx:
            services.silent(tx, self.binary, self.host, self.instance)

    def _missed(self, error):
        LOG.warning("heartbeat of %s missed: %s", self.host, error)


def wait_for(function, what, interval=1.0):
    """Call until it does not raise a connection error; says what is waited for. Returns what the function returns."""
    told = False
    while True:
        try:
            return function()
        except db.Unreachable as error:
            if not told:
                LOG.warning("waiting for %s: %s", what, error)
                systemd.tell(status=f"waiting for {what}: {error}")
                told = True
            time.sleep(interval)


def once(function):
    """Call once; a database that is away is no reason not to end."""
    try:
        function()
    except db.Unreachable as error:
        LOG.warning("the end could not be recorded: %s", error)


def daemon(prog):
    """Decorates a daemon's main function, which gets the configuration when logging is set up."""
    def decorate(main):
        @functools.wraps(main)
        def run():
            status = 0
            try:
                with service.settings_that_work():
                    configuration = conf.load(prog=prog)
                    service.set_up_logging(configuration, prog)
                    unread.tell(configuration)
                    main(configuration)
            except SystemExit as ending:
                status = ending.code or 0
            service.leave(status)
        return run
    return decorate
