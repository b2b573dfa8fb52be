"""Copies between volumes: skipped blocks, rate limits, resuming."""

import os
import random

import pytest

from cinder_lite.blockio import copy

MIB = 1024**2
SIZE = 32 * MIB
DATA = random.Random(3).randbytes(12 * MIB)


@pytest.fixture
def places(tmp_path):
    """A file with data from 4 to 16 MiB and zeros that were written behind, and an empty one, both of SIZE bytes."""
    made = []
    for name in ("source", "target"):
        made.append(str(tmp_path / name))
        with open(made[-1], "wb") as file:
            if name == "source":
                file.seek(4 * MIB)
                file.write(DATA + bytes(4 * MIB))
            file.truncate(SIZE)
    return [{"path": path} for path in made]


def bytes_of(place):
    with open(place["path"], "rb") as file:
        return file.read()


def test_holes_and_zeros_are_not_written(places):
    copy.copy(*places, SIZE)
    assert bytes_of(places[1]) == bytes_of(places[0])
    assert os.stat(places[1]["path"]).st_blocks * 512 <= len(DATA) + MIB


def test_a_copy_stops_where_it_can_be_resumed(places):
    seen, asked = [], iter([False, False, True])
    with pytest.raises(copy.Cancelled):
        copy.copy(*places, SIZE, progress=lambda done, whole: seen.append((done, whole)), cancelled=lambda: next(asked))
    assert seen == [(12 * MIB, SIZE)]
    assert bytes_of(places[1])[4 * MIB:12 * MIB] == DATA[:8 * MIB] and not any(bytes_of(places[1])[12 * MIB:])
    copy.copy(*places, SIZE, start=12 * MIB, progress=lambda done, whole: seen.append((done, whole)))
    assert bytes_of(places[1]) == bytes_of(places[0]) and seen[-1] == (SIZE, SIZE)


def test_progress_counts_only_durable_data(places, monkeypatch):
    monkeypatch.setattr(copy, "SYNC_INTERVAL", 8 * MIB)
    seen = []
    copy.copy(*places, SIZE, progress=lambda done, whole: seen.append(done))
    assert seen == [8 * MIB, 16 * MIB, SIZE]


def test_a_limit_is_kept_on_average():
    now, waited = [0.0], []

    def sleep(seconds):
        waited.append(seconds)
        now[0] += seconds

    limiter = copy.RateLimiter(MIB, clock=lambda: now[0], sleep=sleep)
    for _ in range(10):
        limiter.wait(MIB // 2)
    assert now[0] == pytest.approx(5) and sum(waited) == pytest.approx(5)
    unlimited = copy.RateLimiter(0, clock=lambda: now[0], sleep=sleep)
    unlimited.wait(1000 * MIB)
    assert now[0] == pytest.approx(5)
