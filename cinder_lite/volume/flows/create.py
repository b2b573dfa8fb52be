"""The flow by which a volume service makes a volume: from nothing, from a snapshot, from a volume."""

import dataclasses
import logging

import taskflow.engines
from taskflow import task
from taskflow.listeners import logging as flow_logging
from taskflow.patterns import linear_flow

from cinder_lite.volume.drivers import base as drivers

LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What a volume is made from: `kind` is a key of RECIPES; `source` a drivers.Volume or drivers.Snapshot."""

    kind: str
    source: drivers.Volume | drivers.Snapshot | None = None


class _Make(task.Task):
    """A step that makes the volume on the backend. What it has begun is removed when a step fails, its own included."""

    default_provides = "facts"

    def __init__(self, backend):
        super().__init__()
        self.backend = backend

    def revert(self, volume, **_):
        LOG.info("removing what was made of volume %s", volume.id)
        self.backend.call(self.backend.driver.delete, volume)


class MakeEmpty(_Make):
    """A volume that reads as zeros."""

    def execute(self, volume):
        return self.backend.call(self.backend.driver.create, volume)


class CopySnapshot(_Make):
    """A volume with a snapshot's content."""

    def execute(self, volume, source, progress):
        return self.backend.call(self.backend.driver.from_snapshot, volume, source, progress)


class CloneVolume(_Make):
    """A volume with another volume's content."""

    def execute(self, volume, source, progress):
        return self.backend.call(self.backend.driver.clone, volume, source, progress)


RECIPES = {"blank": (MakeEmpty,), "snapshot": (CopySnapshot,), "volume": (CloneVolume,)}


def run(backend, volume, recipe, progress):
    """Make the volume. Returns the driver's facts. Raises the driver's error after removing what was made."""
    flow = linear_flow.Flow("volume_create").add(*(step(backend) for step in RECIPES[recipe.kind]))
    store = {"volume": volume, "source": recipe.source, "progress": progress}
    engine = taskflow.engines.load(flow, store=store)
    with flow_logging.DynamicLoggingListener(engine, log=LOG, failure_level=logging.DEBUG):
        engine.run()
    return engine.storage.fetch("facts")
