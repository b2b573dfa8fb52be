"""Report periodically in the database that a service is alive, and renew the leases of its jobs."""

import logging
from collections.abc import Callable
from typing import Any, TypeVar

from oslo_config import cfg

from cinder_lite import db, errors
from cinder_lite.concurrency import clock
from cinder_lite.concurrency.periodic import Periodic
from cinder_lite.db import job_changes, services
from cinder_lite.host import exit, host_lock, systemd

LOG = logging.getLogger(__name__)

T = TypeVar("T")


class Heartbeat:
    """A heartbeat of a service every report_interval, or more often where job leases need it.

    `facts()` returns further columns of the service's row, and `recorded(row)` is called with the row after each.
    """

    #: Ends the process with a status, so that nothing of it goes on.
    end_process: Callable[[int], object] = staticmethod(exit.immediately)

    def __init__(self, database: db.Database, conf: cfg.ConfigOpts, binary: str, host: str, zone: str,
                 lock: host_lock.HostLock, facts: Callable[[], dict[str, Any]],
                 recorded: Callable[[Any], object] | None):
        self.db, self.conf = database, conf
        self.binary, self.host, self.zone, self.lock, self.instance = binary, host, zone, lock, lock.instance
        self.facts, self.recorded = facts, recorded
        interval = min(conf.report_interval, conf.job_lease / 3)
        self._beats = Periodic(interval, self.beat, self._missed)
        self._started = False
        #: Whether a former process of the name has surely ended: its jobs can be claimed at once.
        self.is_successor = False

    def start(self) -> None:
        """The first heartbeat, waiting for the database and for the name without limit, then one each interval."""
        if not self._started:
            self._wait_for_name()
        wait_for_database(self.beat)
        if not self._started:
            self._started = True
            self._beats.start()

    def _wait_for_name(self):
        is_logged = False
        while True:
            try:
                self.is_successor = wait_for_database(self._take)
                return
            except errors.NameTaken as error:
                if not is_logged:
                    LOG.error("%s: two services must not have one name; waiting for it to end, or to be down for %d s",
                              error, self.conf.service_down_time)
                    is_logged = True
                systemd.notify_waiting(f"another process: {error}")
                clock.sleep(1)

    @db.retried
    def _take(self):
        with self.db.write() as tx:
            return services.take(tx, self.binary, self.host, self.instance, self.lock.id, self.conf.service_down_time)

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

    def beat(self) -> db.Row:
        """One heartbeat; returns the service's row. Ends the process if another one has taken its name."""
        try:
            return self._beat()
        except errors.NameTaken as error:
            LOG.critical("%s, which took this one for down; this process ends", error)
            self.end_process(1)
            raise

    @db.retried
    def _beat(self):
        with self.db.write() as tx:
            row = services.beat(tx, self.binary, self.host, self.zone, self.instance, lock_id=self.lock.id,
                                **self.facts())
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
