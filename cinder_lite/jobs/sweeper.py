"""Finds jobs whose message was lost."""

import logging
from collections.abc import Callable, Collection

from oslo_config import cfg

from cinder_lite import db
from cinder_lite.concurrency.periodic import Periodic
from cinder_lite.db import job_queries

LOG = logging.getLogger(__name__)


class Sweeper:
    """Passes the ids of jobs that wait at a stage to `wake`, every job_sweep_interval seconds."""

    def __init__(self, database: db.Database, conf: cfg.ConfigOpts, stage: str, hosts: Collection[str] | None,
                 owner: str | None, wake: Callable[[str], object]) -> None:
        """`hosts` limits the jobs to those of these hosts; those that `owner` runs count as waiting."""
        self.db, self._age = database, conf.job_sweep_interval / 2
        self._stage, self._hosts, self._owner, self._wake = stage, hosts, owner, wake
        periodic = Periodic(conf.job_sweep_interval, self._sweep, self._log_error)
        self.start, self.stop = periodic.start, periodic.stop

    def _sweep(self):
        with self.db.read() as tx:
            found = job_queries.waiting(tx, self._stage, self._hosts, self._owner, self._age)
        for job_id in found:
            self._wake(job_id)

    @staticmethod
    def _log_error(error):
        LOG.warning("looking for jobs failed, retrying: %s", error)
