"""Report periodically in the database that a service is alive, and renew the leases of its jobs."""

import logging
from collections.abc import Callable
from typing import Any, TypeVar

from oslo_config import cfg

from cinder_lite import db
from cinder_lite.concurrency import clock
from cinder_lite.concurrency.periodic import Periodic
from cinder_lite.db import job_changes, services
from cinder_lite.host import systemd

LOG = logging.getLogger(__name__)

T = TypeVar("T")


class Heartbeat:
    """A heartbeat of a service every report_interval, or more often where job leases need it.

    `facts()` returns further columns of the service's row, and `recorded(row)` is called with the row after each.
    """

    def __init__(self, database: db.Database, conf: cfg.ConfigOpts, binary: str, host: str, zone: str, instance: str,
                 facts: Callable[[], dict[str, Any]], recorded: Callable[[Any], object] | None):
        self.db, self.conf = database, conf
        self.binary, self.host, self.zone, self.instance = binary, host, zone, instance
        self.facts, self.recorded = facts, recorded
        interval = min(conf.report_interval, conf.job_lease / 3)
        self._beats = Periodic(interval, self.beat, self._missed)
        self._started = False

    def start(self) -> None:
        """The first heartbeat, waiting for the database without limit, then one each interval."""
        wait_for_database(self.beat)
        if not self._started:
            self._started = True
            self._beats.start()

    def stop(self) -> None:
        """Stop, and record that the service has ended."""
        self._beats.stop()
        try:
            self._mark_down()
        except db.ERRORS as error:
            LOG.warning("the end of %s could not be recorded: %s", self.host, error)

    @db.retried
    def _mark_down(self):
        with self.db.write() as tx:
            services.mark_down(tx, self.binary, self.host, self.instance)

    @db.retried
    def beat(self) -> db.Row:
        """One heartbeat; returns the service's row."""
        with self.db.write() as tx:
            row = services.beat(tx, self.binary, self.host, self.zone, self.instance, **self.facts())
        # A transaction of its own: it waits for those that end jobs, which must not make the service look dead.
        with self.db.write() as tx:
            job_changes.renew(tx, self.owner, self.conf.job_lease)
        if self.recorded is not None:
            self.recorded(row)
        return row

    @property
    def owner(self) -> str:
        """The name under which this process claims jobs."""
        return f"{self.host}/{self.instance}"

    def _missed(self, error):
        LOG.warning("heartbeat of %s missed: %s", self.host, error)


def wait_for_database(function: Callable[[], T]) -> T:
    """Call a function every second until the database can be reached; its result."""
    is_logged = False
    while True:
        try:
            return function()
        except db.Unreachable as error:
            if not is_logged:
                LOG.warning("waiting for the database: %s", error)
                systemd.notify(status=f"waiting for the database: {error}")
                is_logged = True
            clock.sleep(1)
