"""Confirms the leases of running jobs, and records their progress."""

import logging
from collections.abc import Mapping

from cinder_lite import db, errors
from cinder_lite.concurrency import clock
from cinder_lite.concurrency.periodic import Periodic
from cinder_lite.db import job_changes, job_queries
from cinder_lite.jobs.work import Work

LOG = logging.getLogger(__name__)

#: Seconds between two records of the progress of jobs.
INTERVAL = 1.0


class Recorder:
    """Confirms every second which running jobs are still the worker's, and records their progress."""

    def __init__(self, database: db.Database, owner: str, working: Mapping[str, Work]) -> None:
        """`working` are the running jobs, {id: Work}."""
        self.db, self._owner, self._working = database, owner, working
        periodic = Periodic(INTERVAL, self._record, self._log_error)
        self.start, self.stop = periodic.start, periodic.stop

    def _record(self):
        now, read_at = clock.monotonic(), clock.since_boot()
        # Jobs that have just begun cost no statement: most end within a moment.
        working = [work for work in list(self._working.values()) if now - work.confirmed >= INTERVAL]
        if not working:
            return
        with self.db.read() as tx:
            left = job_queries.owned(tx, self._owner, [work.job.id for work in working])
        for work in working:
            attempt, seconds = left.get(work.job.id, (None, 0))
            if attempt != work.job.attempt:
                work.fence.supersede()
                continue
            work.confirmed = now
            work.fence.confirm(seconds, read_at)
            if work.percent != work.recorded:
                self._record_progress(work)

    def _record_progress(self, work):
        try:
            with self.db.write() as tx:
                job_changes.progress(tx, work.job, work.percent, work.args)
            work.recorded = work.percent
        except errors.Stale as error:
            LOG.warning("%s", error)
            work.fence.supersede()

    @staticmethod
    def _log_error(error):
        LOG.warning("recording the progress of jobs failed, retrying: %s", error)
