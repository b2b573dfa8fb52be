"""The steps that create a volume with the content of a snapshot, a volume or an image."""

import dataclasses
from collections.abc import Callable

from cinder_lite.jobs.work import Work
from cinder_lite.volume import driver_calls
from cinder_lite.volume.drivers import base as drivers
from cinder_lite.volume.flows import engine
from cinder_lite.volume.flows.steps import CreationStep


class CreateUnlimited(CreationStep):
    """Creates a volume that reads as zeros, without QoS limits while it is filled."""

    def execute(self, volume: drivers.Volume, work: Work) -> dict:
        return driver_calls.fenced(work, self.driver.create, dataclasses.replace(volume, qos={}))


class CopySnapshot(CreationStep):
    """Creates a volume with a snapshot's content."""

    def execute(self, volume: drivers.Volume, source: drivers.Snapshot, work: Work) -> dict:
        return driver_calls.fenced(work, self.driver.from_snapshot, volume, source, work.progress)


class CloneVolume(CreationStep):
    """Creates a volume with another volume's content."""

    def execute(self, volume: drivers.Volume, source: drivers.Volume, work: Work) -> dict:
        return driver_calls.fenced(work, self.driver.clone, volume, source, work.progress)


class CloneImage(CreationStep):
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
