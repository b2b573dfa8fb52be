"""Model test of thin LVM volumes."""

from tests.storage import lvm_model


class Thin(lvm_model.LvmModel):
    """In a thin pool."""

    lvm_type = "thin"


def test_fifty_sequences_of_calls():
    Thin.run()
