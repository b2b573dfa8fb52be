"""Model test: any sequence of driver calls results in the same bytes as a model of dictionaries."""

import random
import uuid

from hypothesis import stateful
from hypothesis import strategies as st

from cinder_lite.volume.drivers import base
from tests.contract.backends import GIB, content, write

BLOCK = 4096
#: Where writes begin: edges of blocks, of runs of zeros, of what is read at once, and of the volume's end.
POSITIONS = (0, 1, BLOCK, 65535, 65536, 4 * 1024**2 - 3, 5 * 1024**2, GIB - 70000)
LENGTHS = (1, BLOCK, 65536, 70000)


def ignore(done, whole):
    """A progress callback that does nothing."""


def changed(blocks, position, data):
    """The blocks after a write of `data` at `position`."""
    blocks = dict(blocks)
    for number in range(position // BLOCK, (position + len(data) - 1) // BLOCK + 1):
        block = bytearray(blocks.get(number, bytes(BLOCK)))
        begin, end = max(position, number * BLOCK), min(position + len(data), (number + 1) * BLOCK)
        block[begin - number * BLOCK:end - number * BLOCK] = data[begin - position:end - position]
        if any(block):
            blocks[number] = bytes(block)
        else:
            blocks.pop(number, None)
    return blocks


class Model(stateful.RuleBasedStateMachine):
    """`volumes` and `snapshots` are {id: (object, size in GiB, {number of a block: its bytes})}.

    The model of a driver sets `driver`, and in `outlive` whether a snapshot stays usable without its volume.
    """

    outlive = True

    def __init__(self):
        super().__init__()
        self.driver, self.volumes, self.snapshots, self.made = None, {}, {}, 0

    def usable(self):
        """The snapshots that can be read and copied."""
        return {key: value for key, value in self.snapshots.items()
                if self.outlive or value[0].volume.id in self.volumes}

    def new_id(self):
        self.made += 1
        return str(uuid.UUID(int=self.made))

    def one(self, data, objects):
        return objects[data.draw(st.sampled_from(sorted(objects)))]

    @stateful.initialize(size=st.integers(1, 2), again=st.booleans())
    def first(self, size, again):
        self.create(size, again)

    @stateful.rule(size=st.integers(1, 2), again=st.booleans())
    def create(self, size, again):
        volume = base.Volume(self.new_id(), size)
        for _ in range(1 + again):
            self.driver.create(volume)
        self.volumes[volume.id] = volume, size, {}

    @stateful.precondition(lambda self: self.volumes)
    @stateful.rule(data=st.data(), position=st.sampled_from(POSITIONS), length=st.sampled_from(LENGTHS),
                   seed=st.integers(0, 255), zeros=st.booleans())
    def write(self, data, position, length, seed, zeros):
        volume, size, blocks = self.one(data, self.volumes)
        written = bytes(length) if zeros else random.Random(seed).randbytes(length)
        write(self.driver.path(volume), position, written)
        self.volumes[volume.id] = volume, size, changed(blocks, position, written)

    @stateful.precondition(lambda self: self.volumes)
    @stateful.rule(data=st.data(), again=st.booleans())
    def snapshot(self, data, again):
        volume, size, blocks = self.one(data, self.volumes)
        snapshot = base.Snapshot(self.new_id(), size, volume)
        for _ in range(1 + again):
            self.driver.create_snapshot(snapshot)
        self.snapshots[snapshot.id] = snapshot, size, blocks

    @stateful.precondition(lambda self: self.volumes)
    @stateful.rule(data=st.data(), more=st.integers(0, 1), again=st.booleans())
    def clone(self, data, more, again):
        source, size, blocks = self.one(data, self.volumes)
        volume = base.Volume(self.new_id(), size + more)
        for _ in range(1 + again):
            self.driver.clone(volume, source, ignore)
        self.volumes[volume.id] = volume, size + more, blocks

    @stateful.precondition(lambda self: self.usable())
    @stateful.rule(data=st.data(), more=st.integers(0, 1), again=st.booleans())
    def from_snapshot(self, data, more, again):
        snapshot, size, blocks = self.one(data, self.usable())
        volume = base.Volume(self.new_id(), size + more)
        for _ in range(1 + again):
            self.driver.from_snapshot(volume, snapshot, ignore)
        self.volumes[volume.id] = volume, size + more, blocks

    @stateful.precondition(lambda self: self.volumes)
    @stateful.rule(data=st.data(), more=st.integers(0, 2))
    def extend(self, data, more):
        volume, size, blocks = self.one(data, self.volumes)
        self.driver.extend(volume, size + more)
        self.volumes[volume.id] = volume, size + more, blocks

    @stateful.precondition(lambda self: any(s[0].volume.id in self.volumes for s in self.snapshots.values()))
    @stateful.rule(data=st.data(), again=st.booleans())
    def revert(self, data, again):
        usable = {key: value for key, value in self.snapshots.items() if value[0].volume.id in self.volumes}
        snapshot, _, blocks = self.one(data, usable)
        volume, size, _ = self.volumes[snapshot.volume.id]
        for _ in range(1 + again):
            self.driver.revert(volume, snapshot)
        self.volumes[volume.id] = volume, size, blocks

    @stateful.precondition(lambda self: self.volumes)
    @stateful.rule(data=st.data(), again=st.booleans())
    def delete(self, data, again):
        volume = self.one(data, self.volumes)[0]
        for _ in range(1 + again):
            self.driver.delete(volume)
        del self.volumes[volume.id]

    @stateful.precondition(lambda self: self.snapshots)
    @stateful.rule(data=st.data(), again=st.booleans())
    def delete_snapshot(self, data, again):
        snapshot = self.one(data, self.snapshots)[0]
        for _ in range(1 + again):
            self.driver.delete_snapshot(snapshot)
        del self.snapshots[snapshot.id]

    @stateful.invariant()
    def everything_is_as_in_the_model(self):
        there = {key: value for objects in (self.volumes, self.usable()) for key, value in objects.items()}
        assert sorted(self.driver.names()) == sorted((made.name, size * GIB) for made, size, _ in there.values())
        for volume, size, blocks in self.volumes.values():
            assert content(self.driver.path(volume)) == (size * GIB, blocks)
        for snapshot, size, blocks in self.usable().values():
            assert content(self.driver.snapshot_path(snapshot)) == (size * GIB, blocks)
