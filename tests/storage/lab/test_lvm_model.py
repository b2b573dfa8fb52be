"""Any sequence of calls on the LVM driver gives the bytes that a model made of dictionaries gives."""

import contextlib

import pytest
from hypothesis import settings, stateful
from hypothesis import strategies as st

from cinder_lite.volume.drivers import base
from tests.contract import model
from tests.storage import lvm

SETTINGS = settings(derandomize=True, max_examples=50, stateful_step_count=8, deadline=None, database=None)


class LvmModel(model.Model):
    """Logical volumes in a group of their own."""

    lvm_type = None

    def __init__(self):
        super().__init__()
        self._stack = contextlib.ExitStack()
        self.driver = lvm.driver(self._stack.enter_context(lvm.group()), lvm.SmallDriver, lvm_type=self.lvm_type,
                                 volume_clear="none")

    def teardown(self):
        self._stack.close()


class Thin(LvmModel):
    """In a thin pool."""

    lvm_type = "thin"


class Thick(LvmModel):
    """With all their room from the beginning: a volume goes after its snapshots."""

    lvm_type = "default"

    @stateful.precondition(lambda self: self.volumes)
    @stateful.rule(data=st.data(), again=st.booleans())
    def delete(self, data, again):
        volume = self.one(data, self.volumes)[0]
        if any(snapshot.volume.id == volume.id for snapshot, _, _ in self.snapshots.values()):
            with pytest.raises(base.InUse, match="snapshot"):
                self.driver.delete(volume)
            return
        for _ in range(1 + again):
            self.driver.delete(volume)
        del self.volumes[volume.id]


class TestThin(Thin.TestCase):
    """Fifty sequences of calls."""

    settings = SETTINGS


class TestThick(Thick.TestCase):
    """Fifty sequences of calls."""

    settings = SETTINGS
