"""Images are deleted although Ceph keeps the watch of a client that was killed while it opened them."""

import contextlib

import pytest

from cinder_lite.blockio import device
from cinder_lite.volume.drivers.rbd.content import data
from tests.contract.backends import volume
from tests.storage import rbd
from tests.storage.test_rbd_driver import begin, ignore, listed, nothing_left, purged


@pytest.mark.parametrize("fenced", [True, False])
def test_a_volume_is_deleted(driver, pool, fenced):
    one = volume()
    driver.create(one)
    address = rbd.watched_by_the_dead(pool, listed(pool, "info", one.name)["id"])
    if not fenced:
        pool.command("osd", "blocklist", "rm", address)
    driver.delete(one)
    nothing_left(pool)


def test_a_volume_goes_to_the_trash_and_from_there(driver, pool):
    source, child = volume(), volume()
    driver.create(source)
    driver.clone(child, source, ignore)
    id = listed(pool, "info", source.name)["id"]
    rbd.watched_by_the_dead(pool, id)
    driver.delete(source)
    rbd.watched_by_the_dead(pool, id)
    driver.delete(child)
    purged(driver, pool)
    nothing_left(pool)


def test_what_is_open_somewhere_does_not_keep_the_backend_from_starting(driver, pool):
    """A volume that Cinder deleted and kept for its clones, and one that was cut off while it was made."""
    cinders, half = volume(), volume()
    names = [f"{cinders.name}.deleted", f"{half.name}.part"]
    for name in names:
        pool.rbd("create", name, "--size", "1G")
    begin(driver, pool, half)
    with contextlib.ExitStack() as opened:
        for name in names:
            opened.enter_context(device.target(data(driver.cluster, name)))
        driver.clean_up()
    driver.clean_up()
    assert listed(pool, "ls") == []
    purged(driver, pool)
    nothing_left(pool)
