"""The flow by which a volume service makes a volume: from nothing, from a snapshot, from a volume, from an image."""

import dataclasses
import logging
import typing

from cinder_lite.jobs import worker
from cinder_lite.volume.drivers import base as drivers
from cinder_lite.volume.flows import engine

LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What a volume is made from: `kind` is a key of RECIPES; `source` a drivers.Volume or drivers.Snapshot.

    Of an image `source` is a function that fills the drivers.Volume which it is given, of a location its URL.
    """

    kind: str
    source: drivers.Volume | drivers.Snapshot | typing.Callable | str | None = None


class _Make(engine.Step):
    """A step that makes the volume on the backend. What it has begun is removed when a step fails, its own included.

    It stays when the work is only interrupted, to go on from there.
    """

    default_provides = "facts"

    def __init__(self, driver):
        super().__init__()
        self.driver = driver

    def revert(self, volume, flow_failures, **_):
        if any(failure.check(worker.Interrupted) for failure in flow_failures.values()):
            return
        LOG.info("removing what was made of volume %s", volume.id)
        worker.call(self.driver.delete, volume)


class MakeEmpty(_Make):
    """A volume that reads as zeros."""

    def execute(self, volume):
        return worker.call(self.driver.create, volume)


class MakeUnlimited(_Make):
    """A volume that reads as zeros, without limits while it is filled."""

    def execute(self, volume):
        return worker.call(self.driver.create, dataclasses.replace(volume, qos={}))


class CopySnapshot(_Make):
    """A volume with a snapshot's content."""

    def execute(self, volume, source, progress):
        return worker.call(self.driver.from_snapshot, volume, source, progress)


class CloneVolume(_Make):
    """A volume with another volume's content."""

    def execute(self, volume, source, progress):
        return worker.call(self.driver.clone, volume, source, progress)


class CloneImage(_Make):
    """A volume that shares an image's bytes where they lie. Its facts are None when there is nothing to be shared."""

    def execute(self, volume, source):
        return worker.call(self.driver.clone_image, volume, source)


class FillFromImage(engine.Step):
    """An image's content, in a volume that reads as zeros."""

    def __init__(self, _driver):
        super().__init__()

    def execute(self, volume, facts, source):
        source(dataclasses.replace(volume, facts=facts or {}))


class Limit(engine.Step):
    """The limits of a volume that was filled."""

    def __init__(self, driver):
        super().__init__()
        self.driver = driver

    def execute(self, volume, facts):
        if volume.qos and isinstance(self.driver, drivers.AppliesQos):
            worker.call(self.driver.apply_qos, dataclasses.replace(volume, facts=facts or {}))


RECIPES = {"blank": (MakeEmpty,), "snapshot": (CopySnapshot,), "volume": (CloneVolume,),
           "image": (MakeUnlimited, FillFromImage, Limit), "location": (CloneImage,)}


def made(driver):
    """The flows over a driver by the kind of source; `run` takes them."""
    return {kind: engine.line(f"volume_create_{kind}", *(step(driver) for step in steps))
            for kind, steps in RECIPES.items()}


def run(made, volume, recipe, progress):
    """Make the volume. Returns the driver's facts. Raises the driver's error after removing what was made."""
    return engine.run(made[recipe.kind], LOG, volume=volume, source=recipe.source, progress=progress)["facts"]
