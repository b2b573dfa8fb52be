"""The flows of a create: as many tasks as cinder-lite's have, run by its engine, which do nothing."""

import logging

from cinder_lite.volume.flows import engine

LOG = logging.getLogger(__name__)
#: Tasks of a create in the API and in the volume service: see cinder_lite/volume/flows/api_create.py and create.py.
TASKS = {"api": 3, "volume": 1}


class Nothing(engine.Step):
    """A task with an input and no work."""

    def execute(self, wanted):
        return wanted


def of(role):
    """A function that runs the role's flow once."""
    flow = engine.Flow(f"create_{role}", *(Nothing(name=f"{role}-{number}", provides=f"result-{number}")
                                           for number in range(TASKS[role])))
    return lambda: engine.run(flow, LOG, wanted=None)
