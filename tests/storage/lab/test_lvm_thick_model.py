"""Model test of thick LVM volumes."""

import pytest
from hypothesis import stateful
from hypothesis import strategies as st

from cinder_lite.volume.drivers import base
from tests.storage import lvm_model


class Thick(lvm_model.LvmModel):
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


def test_fifty_sequences_of_calls():
    Thick.run()
