"""The backup pipeline runs on native threads in both concurrency modes."""

import _thread

import pytest

from cinder_lite import concurrency
from cinder_lite.concurrency import native_threads


def test_several_native_threads_work_at_once():
    """Each waits, without yielding to green threads, until all three have started."""
    original = concurrency.native("threading")
    together = original.Barrier(3)

    def meet(number):
        together.wait(60)
        return number, _thread.get_ident()

    results = concurrency.in_thread(lambda: list(native_threads.map_in_threads(meet, range(9), 3)))
    assert [number for number, _ in results] == list(range(9))
    assert len({ident for _, ident in results}) == 3


def test_other_work_continues_meanwhile():
    """The pipeline waits for work of a green (or native) thread of the process."""
    original = concurrency.native("threading")
    done = original.Event()
    concurrency.spawn(done.set)

    def job():
        return list(native_threads.map_in_threads(lambda number: done.wait(60), range(4), 2))

    assert concurrency.in_thread(job) == [True] * 4


def test_no_more_is_begun_than_so_far_ahead():
    begun = []
    results = native_threads.map_in_threads(begun.append, range(100), 2)
    next(results)
    results.close()
    assert len(begun) <= 2 * 2


def test_an_error_is_raised_in_order_and_ends_the_pipeline():
    begun = []

    def work(number):
        begun.append(number)
        if number == 3:
            raise KeyError(number)
        return number

    results = native_threads.map_in_threads(work, range(1000), 2)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(KeyError, match="3"):
        next(results)
    assert max(begun) < 10


def test_no_thread_remains():
    before = concurrency.native("threading").active_count()
    assert list(native_threads.map_in_threads(str, range(10), 4)) == [str(number) for number in range(10)]
    assert concurrency.native("threading").active_count() == before
