"""If the librbd process dies or the cluster hangs, calls fail with the reason, and partial objects are removed."""

import os
import random
import signal

import pytest

from cinder_lite import concurrency
from cinder_lite.blockio import device
from cinder_lite.concurrency import clock, native_threads
from cinder_lite.volume.drivers import base
from tests.contract import backends
from tests.contract.backends import snapshot, volume
from tests.services.processes import until
from tests.storage import rbd
from tests.storage.test_rbd_driver import DATA, PLACE, filled, ignore, listed, nothing_left, purged

#: Seconds without a sign of life that tests let a cluster have which they let hang.
PATIENCE = 5


@pytest.fixture
def impatient(pool):
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

    return list(native_threads.map_in_threads(outcome, calls, len(calls)))


def a_life(driver, source, deaths):
    """Make, change and remove volumes again and again while the process dies; any call may be repeated when it
    fails."""
    def insist(call, *args):
        while True:
            try:
                return call(*args)
            except base.DriverError as error:
                assert "the librbd process" in str(error)

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
            clock.sleep_in_thread(times.uniform(0.2, 1.2))
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


def test_a_process_that_dies_as_it_starts_is_started_again(driver):
    one = volume()

    def kill():
        while driver.librbd.pid is None:
            clock.sleep_in_thread(0.001)
        os.kill(driver.librbd.pid, signal.SIGKILL)
        return "killed"

    assert together(lambda: driver.create(one), kill) == [{}, "killed"]
    assert driver.exists(one)
    driver.delete(one)


@pytest.mark.parametrize("daemons", [("osd",), ("mon",), ("osd", "mon")])
def test_a_cluster_that_hangs_fails_calls_with_the_reason_and_works_again_afterwards(impatient, pool, hang, daemons):
    source = filled(impatient)
    go_on = [hang(name) for name in daemons]
    failures = together(*(lambda: impatient.clone(volume(), source, ignore) for _ in range(6)), impatient.check)
    assert all(isinstance(failure, base.BackendDown) for failure in failures), failures
    assert all("does not answer" in str(failure) for failure in failures)
    with pytest.raises(base.BackendDown, match="does not answer|cannot be reached"):
        impatient.check()
    for one in go_on:
        one()
    works(impatient)
    made = volume()
    impatient.clone(made, source, ignore)
    assert backends.content(impatient.path(made)) == backends.content(impatient.path(source))
    impatient.clean_up()
    for one in (made, source):
        impatient.delete(one)
    purged(impatient, pool)
    nothing_left(pool)


def test_the_backend_is_down_while_its_journal_cannot_be_reached(pool):
    """Every change begins with the journal, which may be in a placement group that does not work where others do."""
    pool.directory.make("ceph.client.half.keyring", pool.command(
        "auth", "get-or-create", "client.half", "mon", "profile rbd", "osd",
        "allow rwx pool=volumes object_prefix rbd"))
    driver = rbd.driver(pool, rbd_user="half")
    try:
        with pytest.raises(base.BackendDown, match="PermissionError"):
            driver.check()
    finally:
        driver.close()


def test_a_call_that_takes_long_is_waited_for_while_the_cluster_lives(impatient, pool):
    one = volume()
    impatient.create(one)
    with device.target(impatient.content(one)) as target:
        for position in range(0, backends.GIB, 64 * 1024**2):
            target.write(position, DATA)
    taken = snapshot(one)
    impatient.create_snapshot(taken)
    pid = impatient.librbd.pid
    assert together(*(lambda: impatient.clone(volume(), one, ignore) for _ in range(40))) == [{}] * 40
    assert impatient.librbd.pid == pid
    for name, _ in impatient.names():
        if name.startswith("volume-") and name != one.name:
            impatient.delete(base.Volume(name.removeprefix("volume-"), 1))
    impatient.delete_snapshot(taken)
    impatient.delete(one)
    nothing_left(pool)


def test_reading_and_writing_end_with_the_reason(impatient, hang):
    one = filled(impatient)
    target, source = device.target(impatient.content(one)), device.source(impatient.content(one))
    with target, source:
        os.kill(target._librbd.pid, signal.SIGKILL)
        until(lambda: not target._librbd._child.alive())
        for _ in range(2):
            with pytest.raises(device.ContentError, match="librbd process.* ended"):
                target.write(0, DATA)
        go_on = hang("osd")
        with pytest.raises(device.ContentError, match="does not answer"):
            source.read(PLACE, 10)
        go_on()
    works(impatient)
    with device.source(impatient.content(one)) as again:
        assert again.read(PLACE, len(DATA)) == DATA
    impatient.delete(one)


def test_an_image_that_a_program_has_open_is_named(driver, pool):
    one = filled(driver)
    with device.target(driver.content(one)):
        with pytest.raises(base.InUse, match=r"is open on 127\.0\.0\.1"):
            driver.delete(one)
    driver.delete(one)
    assert listed(pool, "ls") == []


@pytest.mark.parametrize("after", [0.03, 0.1, 0.2, 0.4])
def test_a_service_that_died_is_followed_by_another_that_ends_what_was_begun(driver, pool, after):
    """The next one knows no address to fence: Ceph itself forgets the dead one after half a minute."""
    source, made = filled(driver), volume()
    former = rbd.driver(pool)
    former.check()

    def die():
        clock.sleep_in_thread(after)
        os.kill(former.librbd.pid, signal.SIGKILL)

    together(die, lambda: former.librbd.call("clone", attempts=1, name=made.name, size=backends.GIB,
                                             source=source.name))
    former.close()
    driver.clone(made, source, ignore)
    assert backends.content(driver.path(made)) == backends.content(driver.path(source))
    for one in (source, made):
        driver.delete(one)
    purged(driver, pool)
    nothing_left(pool)
