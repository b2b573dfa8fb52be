"""Passes the job of a volume that could not be created on a backend on to another one."""

import contextlib
import logging

from oslo_config import cfg

from cinder_lite import db
from cinder_lite.jobs import holds
from cinder_lite.jobs.work import Work
from cinder_lite.volume import driver_views
from cinder_lite.volume.backends import Backend
from cinder_lite.volume.drivers import base as drivers

LOG = logging.getLogger(__name__)


def try_another(conf: cfg.ConfigOpts, backend: Backend, work: Work, row: db.Row, error: Exception) -> bool:
    """Pass the job back to the scheduler to try another backend. Returns False after scheduler_max_attempts, or if
    the volume is left here, as its removal has failed too. Raises Stale if another worker may have it."""
    failures = [*work.args.get("failures", ()), {"host": row.host, "reason": str(error)}]
    if row.source_volid or row.snapshot_id or len(failures) >= conf.scheduler_max_attempts:
        return False
    with work.fence, contextlib.suppress(drivers.DriverError):
        if backend.call(backend.driver.exists, driver_views.as_volume(row)):
            return False
    LOG.warning("volume %s could not be created on %s, another backend is tried: %s", row.id, row.host, error)
    work.args |= {"tried": [*work.args.get("tried", ()), backend.name], "failures": failures}
    work.pass_on("scheduler", None)
    work.at_end(_leave_pool)
    return True


def _leave_pool(tx, row):
    if row is not None:
        holds.leave_pool(tx, row)
