"""Reading and writing sparse files."""

import os

import pytest

from cinder_lite.blockio import device

MIB = 1024**2


@pytest.fixture
def sparse(tmp_path):
    """4 MiB of data at 1 MiB, 1 MiB at 8 MiB, 16 MiB long."""
    path = tmp_path / "sparse"
    with open(path, "wb") as file:
        file.seek(MIB)
        file.write(b"x" * 4 * MIB)
        file.seek(8 * MIB)
        file.write(b"y" * MIB)
        file.truncate(16 * MIB)
    return path


def extents(path, start=0, end=16 * MIB):
    with device.Source(path) as source:
        return list(source.extents(start, end))


def test_extents_cover_the_data(sparse):
    assert extents(sparse) == [(MIB, 5 * MIB), (8 * MIB, 9 * MIB)]
    assert extents(sparse, 2 * MIB, 3 * MIB) == [(2 * MIB, 3 * MIB)]
    assert extents(sparse, 4 * MIB, 8 * MIB) == [(4 * MIB, 5 * MIB)]
    assert extents(sparse, 9 * MIB) == []


def test_a_source_that_ends_early_is_refused(sparse):
    with device.Source(sparse) as source:
        assert source.read(8 * MIB, 3) == b"yyy"
        with pytest.raises(device.ContentError, match=f"ends at byte {16 * MIB}"):
            source.read(16 * MIB - 2, 10)
        assert list(source.extents(15 * MIB, 17 * MIB)) == [(15 * MIB, 17 * MIB)]  # so that reading finds it out


def test_a_missing_source_is_named(tmp_path):
    with pytest.raises(device.ContentError, match="nothing"), device.Source(tmp_path / "nothing"):
        pass


def test_a_device_without_holes_is_data_throughout():
    with device.Source("/dev/zero") as source:
        assert list(source.extents(0, MIB)) == [(0, MIB)]
        assert source.read(12, 5) == bytes(5)


def test_identity_changes_with_the_content(sparse):
    def identity():
        with device.Source(sparse) as source:
            return source.identity()

    before = identity()
    assert identity() == before
    os.utime(sparse, ns=(1, 1))
    assert identity() != before


@pytest.mark.parametrize("punch", [None, lambda fd, start, length: False], ids=["holes", "no holes"])
def test_zeroed_ranges_read_as_zeros(sparse, punch):
    with device.Target(sparse, punch) as target:
        target.zero(2 * MIB + 5, 3 * MIB + 7)
        target.zero(8 * MIB, 16 * MIB)
        target.zero(9, 9)
        target.sync()
        assert target.size() == 16 * MIB
    data = sparse.read_bytes()
    assert data[MIB:5 * MIB] == b"x" * (MIB + 5) + bytes(MIB + 2) + b"x" * (2 * MIB - 7)
    assert not data[5 * MIB:].strip(b"\0")
    if punch is None:
        assert not any(begin >= 5 * MIB for begin, _ in extents(sparse))


def test_zeroing_a_hole_allocates_nothing(sparse):
    before = os.stat(sparse).st_blocks
    with device.Target(sparse, lambda fd, start, length: False) as target:
        target.zero(9 * MIB, 16 * MIB)
    assert os.stat(sparse).st_blocks == before
