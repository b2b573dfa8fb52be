"""The volume service's flows of creating a volume: empty, or from a snapshot, a volume or an image."""

import dataclasses
import logging
import typing
from collections.abc import Callable, Mapping

from cinder_lite.jobs import outcomes
from cinder_lite.volume import driver_calls
from cinder_lite.volume.drivers import base as drivers
from cinder_lite.volume.flows import engine

LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Recipe:
    """The source of a volume: `kind` is a key of RECIPES; `source` a drivers.Volume or drivers.Snapshot.

    For an image, `source` is a function that fills the drivers.Volume passed to it; for a location, its URL.
    """

    kind: str
    source: drivers.Volume | drivers.Snapshot | typing.Callable | str | None = None


class _Create(engine.Step):
    """A step that creates the volume on the backend, and removes it if this or a later step fails.

    The volume stays if the job was only interrupted, so that it can be resumed.
    """

    default_provides = "facts"

    def __init__(self, driver):
        super().__init__()
        self.driver = driver

    def revert(self, volume, flow_failures, **_):
        if any(failure.check(outcomes.Interrupted) for failure in flow_failures.values()):
            return
        LOG.info("removing incomplete volume %s", volume.id)
        driver_calls.call(self.driver.delete, volume)


class CreateEmpty(_Create):
    """Creates a volume that reads as zeros."""

    def execute(self, volume: drivers.Volume) -> dict:
        return driver_calls.call(self.driver.create, volume)


class CreateUnlimited(_Create):
    """Creates a volume that reads as zeros, without QoS limits while it is filled."""

    def execute(self, volume: drivers.Volume) -> dict:
        return driver_calls.call(self.driver.create, dataclasses.replace(volume, qos={}))


class CopySnapshot(_Create):
    """Creates a volume with a snapshot's content."""

    def execute(self, volume: drivers.Volume, source: drivers.Snapshot, progress: Callable[[int, int], object]) -> dict:
        return driver_calls.call(self.driver.from_snapshot, volume, source, progress)


class CloneVolume(_Create):
    """Creates a volume with another volume's content."""

    def execute(self, volume: drivers.Volume, source: drivers.Volume, progress: Callable[[int, int], object]) -> dict:
        return driver_calls.call(self.driver.clone, volume, source, progress)


class CloneImage(_Create):
    """Clones an image on the backend. The facts are None if the image cannot be cloned."""

    def execute(self, volume: drivers.Volume, source: str) -> dict | None:
        return driver_calls.call(self.driver.clone_image, volume, source)


class FillFromImage(engine.Step):
    """Writes an image's content to a volume that reads as zeros."""

    def __init__(self, _driver: drivers.Driver) -> None:
        super().__init__()

    def execute(self, volume: drivers.Volume, facts: dict | None, source: Callable[[drivers.Volume], object]) -> None:
        source(dataclasses.replace(volume, facts=facts or {}))


class ApplyQos(engine.Step):
    """Applies QoS limits after the volume was filled."""

    def __init__(self, driver: drivers.Driver) -> None:
        super().__init__()
        self.driver = driver

    def execute(self, volume: drivers.Volume, facts: dict | None) -> None:
        if volume.qos and isinstance(self.driver, drivers.AppliesQos):
            driver_calls.call(self.driver.apply_qos, dataclasses.replace(volume, facts=facts or {}))


RECIPES = {"blank": (CreateEmpty,), "snapshot": (CopySnapshot,), "volume": (CloneVolume,),
           "image": (CreateUnlimited, FillFromImage, ApplyQos), "location": (CloneImage,)}


def build_flows(driver: drivers.Driver) -> dict[str, engine.Flow]:
    """A driver's flows by the kind of source, to be passed to `run`."""
    return {kind: engine.sequence(f"volume_create_{kind}", *(step(driver) for step in steps))
            for kind, steps in RECIPES.items()}


def run(flows: Mapping[str, engine.Flow], volume: drivers.Volume, recipe: Recipe,
        progress: Callable[[int, int], object]) -> dict | None:
    """Create the volume. Returns the driver's facts. Raises the driver's error after removing what was created."""
    return engine.run(flows[recipe.kind], LOG, volume=volume, source=recipe.source, progress=progress)["facts"]
