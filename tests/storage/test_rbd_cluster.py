"""Drivers of two hosts that change the images of one pool at the same time, in a real Ceph."""

import concurrent.futures
import random
import zlib

import pytest

from tests.contract.backends import GIB, content, snapshot, volume, write
from tests.services.processes import until
from tests.storage import rbd
from tests.storage.ceph import POOLS

ROUNDS, SEED = 25, 20261201


@pytest.fixture
def both(ceph):
    rbd.emptied(ceph)
    made = [rbd.driver(ceph, cluster="blue", backend_host=host) for host in ("one", "two")]
    yield made
    for driver in made:
        driver.close()


def ignore(done, whole):
    """A progress callback that does nothing."""


def test_calls_of_two_hosts_for_images_that_depend_on_each_other(both):
    """Copies of one source are made and removed by both, in any order, while the source goes."""
    chance = random.Random(SEED)
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        for _ in range(ROUNDS):
            source = volume()
            chance.choice(both).create(source)
            write(both[0].path(source), 4096, b"data" * 1024)
            taken, copies = snapshot(source), [volume() for _ in range(4)]
            both[0].create_snapshot(taken)
            calls = [(chance.choice(both).from_snapshot, one, taken, ignore) for one in copies[:2]]
            calls += [(chance.choice(both).clone, one, source, ignore) for one in copies[2:]]
            for call in [threads.submit(*call) for call in calls]:
                assert call.result() == {}
            for one in copies:
                assert content(chance.choice(both).path(one)) == (GIB, {1: b"data" * 1024})
            calls = [(chance.choice(both).delete, one) for one in copies]
            calls.append((chance.choice(both).delete_snapshot, taken))
            chance.shuffle(calls)
            for call in [threads.submit(*call) for call in calls]:
                call.result()
            # A source that still has a snapshot waits in the trash for it.
            chance.choice(both).delete(source)

    def is_empty():
        for driver in both:
            driver.run_maintenance()
        return not any(driver.librbd.call("list", snapshots=True) for driver in both)

    until(is_empty, what="the images to be removed")
    assert [list(driver.names()) for driver in both] == [[], []]


def test_the_lock_of_a_host_that_is_lost_expires(both, ceph):
    one, two = both
    made, other = volume(), volume()
    while name_of_lock(other) == name_of_lock(made):
        other = volume()
    one.create(made)
    ceph.run("rados", "-p", POOLS[0], "lock", "get", name_of_lock(made), "cinder_lite", "--lock-cookie", "lost",
              "--lock-duration", "60")
    with concurrent.futures.ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(two.extend, made, 2)
        two.create(other)
        assert not waiting.done()
        waiting.result()
    assert content(two.path(made))[0] == 2 * GIB


def name_of_lock(volume):
    return f"cinder_lite_lock.1.image.{zlib.crc32(volume.name.encode()) % 64}"
