"""What a backend loses by itself: snapshots that cannot be read any more go into error, and their owners hear why."""

import dataclasses
import logging

from cinder_lite import errors, states
from cinder_lite.db import messages, snapshots
from cinder_lite.jobs.lifecycle import SNAPSHOT
from cinder_lite.volume.drivers import base as drivers

LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class _Loss:
    """What a message is about, where no request is."""

    project_id: str
    resource_id: str
    kind: str = "snapshot"
    request_id: None = None


def record(database, conf, backend):
    """Look for them, and record each once: those that are in use by an action are looked at again later."""
    if not isinstance(backend.driver, drivers.LosesSnapshots):
        return
    for name, reason in backend.call(backend.driver.lost_snapshots).items():
        with database.write() as tx:
            row = snapshots.find(tx, name.removeprefix("snapshot-"))
            if row is not None and row.status == states.AVAILABLE:
                LOG.error("snapshot %s is lost: %s", row.id, reason)
                SNAPSHOT.write(tx, row.id, (states.AVAILABLE,), status=states.ERROR)
                messages.add(tx, _Loss(row.project_id, row.id), "snapshot keep", "unknown",
                             errors.Reason(reason, "its content is lost; delete it"), conf.message_ttl)
