"""A driver that is killed between any two LVM commands leaves no orphan, and the call can be repeated."""

import itertools
import random

import pytest

from cinder_lite.volume.drivers.lvm import commands
from cinder_lite.volume.drivers.lvm.names import shown
from cinder_lite.volume.drivers.lvm.volume_group import Group
from tests.contract.backends import GIB, MIB, snapshot, volume
from tests.storage import lvm

OLD, NEW = (random.Random(seed).randbytes(MIB) for seed in (1, 2))


class Killed(BaseException):
    """What a killed process does from then on: nothing."""


class Mortal(Group):
    """A volume group on which a process runs so many commands before it is killed."""

    lives = 0

    def run(self, *arguments, **options):
        if self.lives == 0:
            raise Killed
        self.lives -= 1
        return super().run(*arguments, **options)


def ignore(done, whole):
    """Progress that nobody follows."""


class Case:
    """A volume with a snapshot, and a call of the driver: afterwards `made` has `size` GiB, and `data` is all its
    bytes."""

    size, data = 1, NEW

    def __init__(self, driver):
        self.driver, self.source = driver, volume()
        driver.create(self.source)
        driver.path(self.source).write_at(0, OLD)
        self.taken = snapshot(self.source)
        driver.create_snapshot(self.taken)
        driver.path(self.source).write_at(0, NEW)
        self.kept = {self.source.name, self.taken.name}
        self.made = self.source

    def prepare(self):
        """Before each call."""

    def call(self, driver):
        raise NotImplementedError

    def names(self):
        """What is there after the call."""
        return {*self.kept, self.made.name}

    def look(self):
        """After the call has been repeated."""
        assert {name for name, _ in self.driver.names()} == self.names()
        if self.made.name in self.names():
            size, blocks = self.driver.path(self.made).content()
            assert (size, b"".join(blocks[number] for number in sorted(blocks))) == (self.size * GIB, self.data)
            if self.made is not self.source:
                self.driver.delete(self.made)


class Create(Case):
    data = b""

    def prepare(self):
        self.made = volume()

    def call(self, driver):
        driver.create(self.made)


class Clone(Case):
    size = 2

    def prepare(self):
        self.made = volume(2)

    def call(self, driver):
        driver.clone(self.made, self.source, ignore)


class FromSnapshot(Clone):
    data = OLD

    def call(self, driver):
        driver.from_snapshot(self.made, self.taken, ignore)


class Revert(Case):
    data = OLD

    def prepare(self):
        self.driver.path(self.source).write_at(0, NEW)

    def call(self, driver):
        driver.revert(self.source, self.taken)


class Extend(Case):
    def prepare(self):
        self.size += 1

    def call(self, driver):
        driver.extend(self.source, self.size)


class Delete(Case):
    def prepare(self):
        self.made = volume()
        self.driver.create(self.made)

    def call(self, driver):
        driver.delete(self.made)

    def names(self):
        return self.kept


class DeleteSnapshot(Delete):
    def prepare(self):
        self.made = snapshot(self.source)
        self.driver.create_snapshot(self.made)

    def call(self, driver):
        driver.delete_snapshot(self.made)


@pytest.mark.parametrize("case", [Create, Clone, FromSnapshot, Revert, Extend, Delete, DeleteSnapshot])
@pytest.mark.parametrize("kind", ["thin", "default"])
def test_a_kill_between_any_two_commands(kind, case):
    with lvm.group() as group:
        driver, dying = (lvm.driver(group, lvm.SmallDriver, lvm_type=kind, volume_clear="none") for _ in range(2))
        dying.kind.group = Mortal(group, "", "backend")
        one = case(driver)
        for lives in itertools.count():
            one.prepare()
            dying.kind.group.lives = lives
            try:
                one.call(dying)
                survived = True
            except Killed:
                survived = False
            driver.clean_up()
            rows = {row.name: row for row in driver.group.rows()}
            assert {shown(name) for name in rows} - {*one.kept, one.made.name} == (
                {f"{group}-pool"} if kind == "thin" else set())
            assert not any(commands.PART in row.tags for row in rows.values())
            one.call(driver)
            one.look()
            if survived:
                break
        assert lives > 0 or (kind, case) == ("default", Revert)
    assert f"{group}-" not in lvm.run("dmsetup", "ls")
