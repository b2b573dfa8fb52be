"""When librbd's process dies or the cluster hangs, calls end with the reason, and what was cut off is gone afterwards."""

import os
import random
import signal
import time

import pytest

from cinder_lite import concurrency, content
from cinder_lite.volume.drivers import base
from tests.contract import backends
from tests.contract.backends import snapshot, volume
from tests.services.processes import until
from tests.storage import rbd
from tests.storage.test_rbd_driver import DATA, PLACE, filled, ignore, listed, nothing_left

#: Seconds without a sign of life that these tests let a cluster have.
PATIENCE = 3


@pytest.fixture(scope="module")
def pool(ceph):
    rbd.emptied(ceph)
    return ceph


@pytest.fixture
def driver(pool):
    made = rbd.driver(pool, rbd_call_timeout=PATIENCE)
    yield made
    made.close()


@pytest.fixture
def hang(pool):
    """hang("osd") lets a daemon stop answering until the returned function is called or the test ends."""
    hung = []

    def stop(name):
        daemon = getattr(pool, name)
        hung.append(daemon)
        pool.hang(daemon)
        return lambda: pool.go_on(daemon)

    yield stop
    pool.go_on(*hung)


def together(*calls):
    """Run the calls in native threads at once; their results or errors."""
    def outcome(call):
        try:
            return call()
        except Exception as error:
            return error

    return list(concurrency.map_in_threads(outcome, calls, len(calls)))


def a_life(driver, source, deaths):
    """Make, change and remove volumes again and again while the process dies; any call may be repeated when it fails."""
    def insist(call, *args):
        while True:
            try:
                return call(*args)
            except base.DriverError as error:
                assert "the process with librbd" in str(error)

    while not deaths.is_set():
        one, two = volume(), volume(2)
        taken = snapshot(one)
        insist(driver.clone, one, source, ignore)
        insist(driver.create_snapshot, taken)
        insist(driver.from_snapshot, two, taken, ignore)
        assert [size for name, size in insist(driver.names) if name == two.name] == [2 * backends.GIB]
        insist(driver.delete, one)
        insist(driver.delete_snapshot, taken)
        insist(driver.delete, two)
    return "done"


def purged(driver, pool):
    """Wait until the trash is empty."""
    def empty():
        driver.tend()
        return listed(pool, "trash", "ls", "--all") == []

    until(empty, what="the trash to be purged")


def works(driver):
    """Wait until the backend says that it works."""
    def up():
        try:
            driver.check()
        except base.BackendDown:
            return False
        return True

    until(up, what="the backend to work again")


def test_killed_under_load_everything_goes_on_and_nothing_is_left(driver, pool):
    source = filled(driver)
    deaths = concurrency.native("threading").Event()
    times, pids = random.Random(4), set()

    def kill():
        for _ in range(15):
            concurrency.sleep_in_thread(times.uniform(0.2, 1.2))
            if driver.librbd.pid is not None:
                pids.add(driver.librbd.pid)
                os.kill(driver.librbd.pid, signal.SIGKILL)
        deaths.set()
        return "done"

    assert together(kill, *[lambda: a_life(driver, source, deaths)] * 4) == ["done"] * 5
    assert len(pids) > 5
    driver.check()
    assert backends.content(driver.path(source))[0] == backends.GIB
    driver.delete(source)
    driver.clean_up()
    purged(driver, pool)
    nothing_left(pool)


@pytest.mark.parametrize("daemons", [("osd",), ("mon",), ("osd", "mon")])
def test_a_cluster_that_hangs_fails_calls_with_the_reason_and_works_again_afterwards(driver, pool, hang, daemons):
    source = filled(driver)
    go_on = [hang(name) for name in daemons]
    began = time.monotonic()
    failures = together(*(lambda: driver.clone(volume(), source, ignore) for _ in range(6)), driver.check)
    assert all(isinstance(failure, base.BackendDown) for failure in failures), failures
    assert all("does not answer" in str(failure) for failure in failures)
    with pytest.raises(base.BackendDown, match="does not answer|cannot be reached"):
        driver.check()
    assert time.monotonic() - began < 60
    for one in go_on:
        one()
    works(driver)
    made = volume()
    driver.clone(made, source, ignore)
    assert backends.content(driver.path(made)) == backends.content(driver.path(source))
    driver.clean_up()
    for one in (made, source):
        driver.delete(one)
    purged(driver, pool)
    nothing_left(pool)


def test_a_call_that_takes_long_is_waited_for_while_the_cluster_lives(driver, pool):
    one = volume()
    driver.create(one)
    with content.target(driver.content(one)) as target:
        for position in range(0, backends.GIB, 64 * 1024**2):
            target.write(position, DATA)
    taken = snapshot(one)
    driver.create_snapshot(taken)
    pid = driver.librbd.pid
    assert together(*(lambda: driver.clone(volume(), one, ignore) for _ in range(40))) == [{}] * 40
    assert driver.librbd.pid == pid
    for name, _ in driver.names():
        if name.startswith("volume-") and name != one.name:
            driver.delete(base.Volume(name.removeprefix("volume-"), 1))
    driver.delete_snapshot(taken)
    driver.delete(one)
    nothing_left(pool)


def test_reading_and_writing_end_with_the_reason(driver, hang):
    one = filled(driver)
    target, source = content.target(driver.content(one)), content.source(driver.content(one))
    with target, source:
        os.kill(target._librbd.pid, signal.SIGKILL)
        with pytest.raises(content.ContentError, match="ended"):
            target.write(0, DATA)
        go_on = hang("osd")
        with pytest.raises(content.ContentError, match="does not answer"):
            source.read(PLACE, 10)
        go_on()
    works(driver)
    with content.source(driver.content(one)) as again:
        assert again.read(PLACE, len(DATA)) == DATA
    driver.delete(one)


def test_an_image_that_a_program_has_open_is_named(driver, pool):
    one = filled(driver)
    with content.target(driver.content(one)):
        with pytest.raises(base.InUse, match=r"is open on 127\.0\.0\.1"):
            driver.delete(one)
    driver.delete(one)
    assert listed(pool, "ls") == []
