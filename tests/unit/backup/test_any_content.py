"""Property test: for any contents, changes and sizes, each backup of a chain restores the data that was written."""

import pathlib
import tempfile

from hypothesis import given, settings, strategies

from cinder_lite.backup import writer
from tests.unit.backup import stores, volumes
from tests.unit.backup.volumes import BLOCK, pattern

letters = strategies.text(alphabet="......abcdABC", min_size=1, max_size=60)
layouts = strategies.builds(
    lambda blocks, segments, *more: writer.Format(BLOCK, blocks * BLOCK, segments * blocks * BLOCK, *more),
    strategies.integers(1, 9), strategies.integers(1, 5), strategies.booleans(), strategies.integers(1, 4))
#: An edit: where (as a part of the length), and what is written there.
edits = strategies.lists(
    strategies.tuples(strategies.floats(0, 0.999), strategies.text(alphabet="..abxyzXYZ", min_size=1, max_size=8)),
    max_size=4)
links = strategies.lists(strategies.tuples(edits, strategies.sampled_from([0, 0, 0, 1, 7, 40]), layouts), max_size=3)


def changed(text, edit, growth):
    for where, new in edit:
        at = int(where * len(text))
        text = (text[:at] + new + text[at + len(new):])[:len(text)]
    return text + "." * (growth // 2) + "z" * (growth - growth // 2)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(letters, strategies.integers(0, BLOCK - 1), layouts, links, strategies.booleans(), strategies.booleans())
def test_restored_data_equals_written_data(text, tail, layout, links, in_memory, over_old):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        store = stores.MemoryStore() if in_memory else stores.directory(folder / "store")
        states = [text]
        for edit, growth, _ in links:
            states.append(changed(states[-1], edit, growth))
        for number, state in enumerate(states):
            data = pattern(state, tail)
            volumes.make(folder / "volume", data)
            volumes.write(store, f"b{number}", folder / "volume", len(data), f"b{number - 1}" if number else None,
                          layout if not number else links[number - 1][2])
        for number, state in enumerate(states):
            data = pattern(state, tail)
            old = pattern("q" * (len(state) + 3)) if over_old else None
            size = len(old) if old else len(data)
            back = volumes.bring_back(store, f"b{number}", folder / "target", size, old)
            assert back == data + bytes(size - len(data))
