"""The base of the steps that create a volume on a backend."""

import contextlib
import logging
from collections.abc import Mapping
from typing import Any

from cinder_lite import errors
from cinder_lite.jobs import outcomes
from cinder_lite.jobs.work import Work
from cinder_lite.volume import driver_calls
from cinder_lite.volume.drivers import base as drivers
from cinder_lite.volume.flows import engine

LOG = logging.getLogger(__name__)


class CreationStep(engine.Step):
    """A step that creates the volume on the backend, and removes it if this or a later step fails.

    The volume stays if the job was only interrupted, so that it can be resumed, or if another worker may have it.
    """

    default_provides = "facts"

    def __init__(self, driver: drivers.Driver) -> None:
        super().__init__()
        self.driver: Any = driver

    def revert(self, volume: drivers.Volume, work: Work, flow_failures: Mapping[str, Any], **_: object) -> None:
        if any(failure.check(outcomes.Interrupted, errors.Stale) for failure in flow_failures.values()):
            return
        LOG.info("removing incomplete volume %s", volume.id)
        with contextlib.suppress(errors.Stale), work.fence:
            driver_calls.call(self.driver.delete, volume)
