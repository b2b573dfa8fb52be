"""A failed creation removes its volume, unless the job goes on or another worker may have it."""

import contextlib
import logging
import types

import pytest

from cinder_lite import errors
from cinder_lite.concurrency import clock
from cinder_lite.jobs import outcomes
from cinder_lite.jobs.fence import Fence
from cinder_lite.volume.drivers import base
from cinder_lite.volume.flows import create, engine, steps
from cinder_lite.volume.jobs import creation

LOG = logging.getLogger(__name__)
VOLUME = base.Volume("1", 1)


class Driver:
    backend, needs_fence = "one", False

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


class Left(Driver):
    """Creates the volume, but its answer is lost; `deletes`: whether the volume can then be removed."""

    def __init__(self, deletes):
        super().__init__()
        self.deletes, self.present = deletes, False

    def create(self, volume):
        self.present = True
        raise base.DriverError("no answer")

    def delete(self, volume):
        if not self.deletes:
            raise base.DriverError("no answer")
        self.present = False

    def exists(self, volume):
        return self.present


class FakeWork:
    """What a creation uses of a work; `passed` is the stage to which the job was passed on."""

    progress, job, passed = None, None, None

    def __init__(self, fence):
        self.fence, self.args = fence, {}
        self.volume = types.SimpleNamespace(
            id="1", host="h@one#one", size=1, source_volid=None, snapshot_id=None, backup_id=None, image_metadata={},
            name_id=None, facts={}, type_extra_specs=None, type_qos_consumer=None, type_qos_specs=None,
            encryption_key_id=None, project_id="p", name="v")

    def begin(self):
        """It begins."""

    def pass_on(self, stage, host):
        self.passed = stage

    def at_end(self, _function):
        """It never ends here."""


@pytest.mark.parametrize(("deletes", "lost", "passed", "raised"), [
    (True, False, "scheduler", None), (False, False, None, base.DriverError), (True, True, None, errors.Stale)])
def test_another_backend_is_tried_only_when_nothing_is_left_on_this_one(deletes, lost, passed, raised):
    fence, driver = Fence("1", 1, 3600.0, clock.since_boot()), Left(deletes)
    if lost:
        fence.supersede()
    work, backend = FakeWork(fence), types.SimpleNamespace(
        name="h@one", driver=driver, call=lambda function, *arguments: function(*arguments))
    jobs = creation.CreationJobs(types.SimpleNamespace(read=contextlib.nullcontext),
                                 types.SimpleNamespace(scheduler_max_attempts=3), backend, None, None)
    with pytest.raises(raised) if raised else contextlib.nullcontext():
        jobs.create(work)
    assert (work.passed, driver.present) == (passed, raised is not None)
    fence.close()
