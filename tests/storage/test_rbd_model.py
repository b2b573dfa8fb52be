"""Model test of the RBD driver."""

import os
import signal

import pytest
from hypothesis import settings, stateful
from hypothesis import strategies as st

from tests.contract import model
from tests.storage import rbd
from tests.storage.test_rbd_driver import nothing_left, purged


class RbdModel(model.Model):
    """Images in a pool that they have to themselves; now and then the process with librbd is killed.

    `clean` says whether the sequence before has left the pool empty, as each has to.
    """

    outlive = False
    ceph = None
    clean = False

    def __init__(self):
        super().__init__()
        if not RbdModel.clean:
            rbd.emptied(self.ceph)
        RbdModel.clean = False
        self.driver = rbd.driver(self.ceph, rbd_max_clone_depth=2)

    def teardown(self):
        for volume, _, _ in self.volumes.values():
            self.driver.delete(volume)
        for snapshot, _, _ in self.snapshots.values():
            self.driver.delete_snapshot(snapshot)
        purged(self.driver, self.ceph)
        self.driver.close()
        nothing_left(self.ceph, objects=False)
        RbdModel.clean = True

    @stateful.rule(process=st.sampled_from(["librbd", "reader"]), tidy=st.booleans())
    def crash(self, process, tidy):
        pid = getattr(self.driver, process).pid
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
        if tidy:
            self.driver.clean_up()

    @stateful.rule()
    def maintain(self):
        self.driver.run_maintenance()


@pytest.fixture
def cluster(ceph):
    RbdModel.ceph = ceph


@pytest.mark.usefixtures("cluster")
@pytest.mark.timeout(1800)
class TestModel(RbdModel.TestCase):
    """Fifty sequences of calls."""

    settings = settings(derandomize=True, max_examples=50, stateful_step_count=20, deadline=None, database=None)
