"""Finds snapshots that the backend has lost, sets their status to error and records the reason for their owners."""

import dataclasses
import logging
from typing import Any

from oslo_config import cfg

from cinder_lite import db, errors, states
from cinder_lite.db import messages, snapshots
from cinder_lite.jobs.lifecycle import SNAPSHOT
from cinder_lite.volume.backends import Backend
from cinder_lite.volume.drivers import base as drivers

LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class _LostSnapshot:
    """The subject of a message that no request has caused."""

    project_id: str
    resource_id: str
    kind: str = "snapshot"
    request_id: None = None


def record(database: db.Database, conf: cfg.ConfigOpts, backend: Backend) -> None:
    """Record each lost snapshot once; one that an action uses is examined again later."""
    if not isinstance(backend.driver, drivers.LosesSnapshots):
        return
    for name, reason in backend.call(backend.driver.lost_snapshots).items():
        with database.write() as tx:
            row = snapshots.find(tx, name.removeprefix("snapshot-"))
            if row is not None and row.status == states.AVAILABLE:
                LOG.error("snapshot %s is lost: %s", row.id, reason)
                SNAPSHOT.write(tx, row.id, (states.AVAILABLE,), status=states.ERROR)
                subject: Any = _LostSnapshot(row.project_id, row.id)
                messages.add(tx, subject, "snapshot keep", "unknown",
                             errors.Reason(reason, "its content is lost; delete it"), conf.message_ttl)
