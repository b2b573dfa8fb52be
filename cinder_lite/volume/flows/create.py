"""The volume service's flows of creating a volume: empty, or from a snapshot, a volume or an image."""

import dataclasses
import logging
import typing
from collections.abc import Mapping

from cinder_lite.jobs.work import Work
from cinder_lite.volume import driver_calls
from cinder_lite.volume.drivers import base as drivers
from cinder_lite.volume.flows import copies, engine
from cinder_lite.volume.flows.steps import CreationStep

LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Recipe:
    """The source of a volume: `kind` is a key of RECIPES; `source` a drivers.Volume or drivers.Snapshot.

    For an image, `source` is a function that fills the drivers.Volume passed to it; for a location, its URL.
    """

    kind: str
    source: drivers.Volume | drivers.Snapshot | typing.Callable | str | None = None


class CreateEmpty(CreationStep):
    """Creates a volume that reads as zeros."""

    def execute(self, volume: drivers.Volume, work: Work) -> dict:
        return driver_calls.fenced(work, self.driver.create, volume)


RECIPES = {"blank": (CreateEmpty,), "snapshot": (copies.CopySnapshot,), "volume": (copies.CloneVolume,),
           "image": (copies.CreateUnlimited, copies.FillFromImage, copies.ApplyQos),
           "location": (copies.CloneImage,)}


def build_flows(driver: drivers.Driver) -> dict[str, engine.Flow]:
    """A driver's flows by the kind of source, to be passed to `run`."""
    return {kind: engine.Flow(f"volume_create_{kind}", *(step(driver) for step in steps))
            for kind, steps in RECIPES.items()}


def run(flows: Mapping[str, engine.Flow], volume: drivers.Volume, recipe: Recipe, work: Work) -> dict | None:
    """Create the volume. Returns the driver's facts. Raises the driver's error after removing what was created."""
    return engine.run(flows[recipe.kind], LOG, volume=volume, source=recipe.source, work=work)["facts"]
