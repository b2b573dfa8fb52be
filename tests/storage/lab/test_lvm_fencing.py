"""Whoever lost a job writes nothing more to a logical volume: the tests of volumes as files, with LVM."""

import os

import pytest

from tests.contract.backends import GIB, MIB
from tests.services.processes import Directory
from tests.storage import lvm, test_fencing

SECTION = """
[lvm-1]
volume_driver = lvm
volume_group = {group}
lvm_type = {kind}
volume_clear = none
target_helper = nbd
"""


class Logical(test_fencing.Case):
    units = 6

    def __init__(self, group, *arguments):
        self.group = group
        super().__init__(*arguments)

    def path(self, id):
        return f"/dev/{self.group}/volume-{id}"


class Restore(Logical, test_fencing.Restore):
    """Data that the service itself writes."""


class Copy(Logical, test_fencing.Copy):
    """A clone of a thick volume."""

    def begun(self):
        return self.written(self.path(self.volume))


class Create(Logical):
    """A new thick volume, which the privileged helper makes read as zeros where the volume before it had others."""

    units = GIB // len(test_fencing.UNIT)

    def prepare(self):
        self.fill(self.volume)
        self.client("DELETE", f"/volumes/{self.volume}", expect=202)
        self.client.gone("volumes", self.volume)
        self.volume = self.client.create("volumes", size=1)["id"]

    def begun(self):
        try:
            with open(self.path(self.volume), "rb") as device:
                begin, end = (os.pread(device.fileno(), MIB, position) for position in (256 * MIB, GIB - 16 * MIB))
        except FileNotFoundError:
            return False
        return begin != end == test_fencing.UNIT[:MIB]


@pytest.fixture
def shared():
    directory = Directory("fencing")
    yield directory.path
    directory.remove()


@pytest.mark.parametrize(("kind", "case"), [
    ("thin", Restore), ("default", Restore), ("default", Copy), ("default", Create)])
def test_a_stopped_owner_that_goes_on_writes_nothing(shared, kind, case):
    with lvm.group() as group:
        section = {"lvm-1": SECTION.format(group=group, kind=kind)}
        # A process in the lab may wait longer than a short lease for the only processor.
        first, second = (test_fencing.Host(shared, name, sections=section, lease=15) for name in ("first", "second"))
        is_ended = test_fencing.take_over(shared, first, second, lambda: case(group, shared, first.client, None))
        # A restore checks each of its writes; calls of the driver are one write for the fence.
        assert is_ended or case is Restore
