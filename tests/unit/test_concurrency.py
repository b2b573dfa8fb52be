"""Calls in native threads: parallelism, results and errors."""

import logging
import threading

import pytest

from cinder_lite import concurrency


def started(count, function):
    """Run a function in so many threads of the mode's kind; their results, in the order of their ends."""
    results, done = [], threading.Event()

    def run():
        results.append(concurrency.in_thread(function))
        if len(results) == count:
            done.set()

    for _ in range(count):
        concurrency.spawn(run)
    assert done.wait(60)
    return results


def test_calls_that_wait_do_not_hold_up_others():
    """All of a hundred calls have to be under way before any of them ends."""
    together = concurrency.native("threading").Barrier(100, timeout=60)
    assert sorted(started(100, together.wait)) == list(range(100))


def test_an_error_reaches_the_caller_and_the_thread_lives_on():
    def fail():
        raise ValueError("this")

    for _ in range(3):
        with pytest.raises(ValueError, match="this"):
            concurrency.in_thread(fail)
    assert concurrency.in_thread(len, "four") == 4


def test_a_call_within_a_call_stays_in_its_thread():
    here = concurrency.native("threading").get_native_id
    inner, outer = concurrency.in_thread(lambda: (concurrency.in_thread(here), here()))
    assert inner == outer


def test_native_threads_that_log_at_once_wait_for_each_other():
    native = concurrency.native("threading")
    held, free, found = native.Event(), native.Event(), []

    def hold():
        with logging._lock:
            held.set()
            free.wait(60)

    def ask():
        held.wait(60)
        found.append(logging.getLogger("that_nobody_has_asked_for_yet").isEnabledFor(logging.CRITICAL))

    threads = [native.Thread(target=function, daemon=True) for function in (hold, ask)]
    for thread in threads:
        thread.start()
    held.wait(60)
    threads[1].join(0.2)  # long enough for it to wait for the lock, in most runs
    assert found == []
    free.set()
    for thread in threads:
        thread.join(60)
    assert found == [True]
