"""Calls in native threads: parallelism, results and errors."""

import logging
import threading

import pytest
from oslo_context import context as oslo_context

from cinder_lite import concurrency, context
from cinder_lite.concurrency import thread_calls
from cinder_lite.concurrency.pool import Pool


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


class Gate:
    """Calls that wait until they are released, and the maximum number of concurrent ones."""

    def __init__(self):
        self.open, self.changed = threading.Event(), threading.Condition()
        self.here = self.most = self.ended = 0

    def call(self):
        self.step(1)
        self.open.wait(60)
        self.step(-1)

    def step(self, by):
        with self.changed:
            self.here += by
            self.most, self.ended = max(self.most, self.here), self.ended + (by < 0)
            self.changed.notify_all()

    def wait(self, condition):
        with self.changed:
            assert self.changed.wait_for(condition, 60)


def test_a_pool_runs_so_many_calls_at_a_time_and_all_of_them():
    pool, gate = Pool(3), Gate()
    for _ in range(20):
        pool.submit(gate.call)
    gate.wait(lambda: gate.here == 3)
    assert pool.running == 20 and not pool.drain(0)
    gate.open.set()
    assert pool.drain(60) and pool.running == 0
    assert (gate.most, gate.ended) == (3, 20)


def test_calls_that_are_queued_take_no_thread():
    pool, gate, before = Pool(3), Gate(), threading.active_count()
    for _ in range(200):
        pool.submit(gate.call)
    gate.wait(lambda: gate.here == 3)
    assert threading.active_count() <= before + 3
    gate.open.set()
    assert pool.drain(60)


def test_a_call_that_raises_gives_its_place_back(monkeypatch, capsys):
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    pool, gate = Pool(1), Gate()
    gate.open.set()
    pool.submit({}.pop, "nothing")
    pool.submit(gate.call)
    assert pool.drain(60) and gate.ended == 1


def test_another_call_runs_while_one_waits_outside():
    pool, gate, ends = Pool(1, outside=1), Gate(), []

    def leave():
        with pool.outside():
            gate.wait(lambda: gate.here == 1)
            gate.open.set()
        ends.append("back")

    pool.submit(leave)
    pool.submit(gate.call)
    assert pool.drain(60) and ends == ["back"] and gate.most == 1


def test_calls_outside_are_bounded_as_well():
    pool, gate, before = Pool(2, outside=3), Gate(), threading.active_count()

    def leave():
        with pool.outside():
            gate.call()

    for _ in range(40):
        pool.submit(leave)
    gate.wait(lambda: gate.here == 5)
    assert threading.active_count() <= before + 5 and pool.running == 40
    gate.open.set()
    assert pool.drain(60) and (gate.most, gate.ended) == (5, 40)


def test_a_call_that_comes_back_goes_before_those_that_are_queued():
    pool, gate, order = Pool(1, outside=1), Gate(), []
    outside = threading.Event()

    def leave():
        with pool.outside():
            gate.wait(lambda: gate.here == 1)
            outside.set()
        order.append("back")

    pool.submit(leave)
    pool.submit(gate.call)
    outside.wait(60)
    with gate.changed:
        gate.changed.wait_for(lambda: pool._returning, 60)
    for number in range(5):
        pool.submit(order.append, number)
    gate.open.set()
    assert pool.drain(60) and order == ["back", 0, 1, 2, 3, 4]


def test_a_thread_forgets_its_request():
    request = context.Context(request_id="req-1")
    assert oslo_context.get_current() is request
    for _ in range(2):
        thread_calls.forget_request()
        assert oslo_context.get_current() is None
