"""Runs the model test of the LVM driver."""

from hypothesis import settings, stateful

from tests.contract import model
from tests.contract.backends import GIB, content
from tests.storage import lvm

SETTINGS = settings(derandomize=True, max_examples=50, stateful_step_count=10, deadline=None, database=None)


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
    def run(cls):
        """Fifty sequences of calls."""
        with lvm.group() as group:
            cls.backend = lvm.driver(group, lvm.ModelDriver, lvm_type=cls.lvm_type, volume_clear="none")
            stateful.run_state_machine_as_test(cls, settings=SETTINGS)
