"""A failed creation removes its volume, unless the job goes on or another worker may have it."""

import logging
import types

import pytest

from cinder_lite import errors
from cinder_lite.concurrency import clock
from cinder_lite.jobs import outcomes
from cinder_lite.jobs.fence import Fence
from cinder_lite.volume.drivers import base
from cinder_lite.volume.flows import create, engine, steps

LOG = logging.getLogger(__name__)
VOLUME = base.Volume("1", 1)


class Driver:
    backend = "one"

    def __init__(self):
        self.deleted = []

    def create(self, volume):
        return {}

    def delete(self, volume):
        self.deleted.append(volume)


class Fails(engine.Step):
    def execute(self, act):
        act()


def run(driver, fence, error):
    def act():
        raise error

    flow = engine.Flow("flow", create.CreateEmpty(driver), Fails())
    with pytest.raises(type(error)):
        engine.run(flow, LOG, volume=VOLUME, work=types.SimpleNamespace(fence=fence), act=act)
    return driver.deleted


@pytest.mark.parametrize(("error", "lost", "removed"), [
    (base.DriverError("full"), False, True), (base.DriverError("full"), True, False),
    (errors.Stale(id="1", attempt=1), True, False), (outcomes.Interrupted(), False, False)])
def test_the_volume_is_removed_by_its_owner_alone(error, lost, removed):
    assert issubclass(create.CreateEmpty, steps.CreationStep)
    fence = Fence("1", 1, 3600.0, clock.since_boot())
    if lost:
        fence.supersede()
    assert run(Driver(), fence, error) == ([VOLUME] if removed else [])
    fence.close()
