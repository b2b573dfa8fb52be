"""Any sequence of calls on the LVM driver gives the bytes that a model made of dictionaries gives."""

import pytest
from hypothesis import settings, stateful
from hypothesis import strategies as st

from cinder_lite.volume.drivers import base
from tests.contract import model
from tests.contract.backends import GIB, content
from tests.storage import lvm

SETTINGS = settings(derandomize=True, max_examples=50, stateful_step_count=7, deadline=None, database=None)


class LvmModel(model.Model):
    """Logical volumes in a group that each sequence finds empty.

    What takes no command of LVM's is looked at after each call, the rest when a sequence has ended.
    """

    lvm_type = backend = None

    def __init__(self):
        super().__init__()
        self.driver = self.backend

    @stateful.invariant()
    def everything_is_as_in_the_model(self):
        for volume, size, blocks in self.volumes.values():
            assert content(self.driver.path(volume)) == (size * GIB, blocks)

    def teardown(self):
        super().everything_is_as_in_the_model()
        lvm.emptied(self.driver.group.name)

    @classmethod
    def run_on(cls, group):
        cls.backend = lvm.driver(group, lvm.SmallDriver, lvm_type=cls.lvm_type, volume_clear="none")
        stateful.run_state_machine_as_test(cls, settings=SETTINGS)


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


@pytest.mark.parametrize("cls", [Thin, Thick])
def test_fifty_sequences_of_calls(cls):
    with lvm.group() as group:
        cls.run_on(group)
