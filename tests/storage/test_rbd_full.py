"""A pool that is full, for the RBD driver: what is refused, and that no write is lost without an error."""

import contextlib

import pytest

from cinder_lite.blockio import device
from cinder_lite.volume.drivers import base
from cinder_lite.volume.drivers.rbd import content
from tests.contract import backends
from tests.contract.backends import snapshot, volume
from tests.services.processes import until
from tests.storage.test_rbd_driver import DATA, filled, ignore, nothing_left


@contextlib.contextmanager
def full(pool):
    """The pool has less room than it uses."""
    pool.command("osd", "pool", "set-quota", "volumes", "max_bytes", str(len(DATA) // 2))
    try:
        until(lambda: "POOL_FULL" in pool.command("health", "detail"), what="the pool to be full")
        yield
    finally:
        pool.command("osd", "pool", "set-quota", "volumes", "max_bytes", "0")
    until(lambda: "POOL_FULL" not in pool.command("health", "detail"), what="the pool to have room")


def test_a_full_pool_refuses_with_that_reason_and_lets_volumes_go(driver, pool):
    one = filled(driver)
    taken = snapshot(one)
    driver.create_snapshot(taken)
    with full(pool):
        for refused in (lambda: driver.create(volume()), lambda: driver.from_snapshot(volume(), taken, ignore)):
            with pytest.raises(base.DriverError, match="the pool is full: raise its quota"):
                refused()
        with pytest.raises(device.ContentError, match="the pool is full"):
            backends.write(driver.path(one), 700 * 1024**2, DATA)
        driver.delete_snapshot(taken)
        driver.delete(one)
    driver.clean_up()
    nothing_left(pool, objects=False)  # librbd leaves small ones of what it could not make


def test_the_error_of_a_write_stays_until_the_image_is_closed(driver, pool):
    """Even after a sync, from when on librbd's own cache would acknowledge writes early and lose their errors."""
    one = filled(driver)
    place = driver.path(one)
    with content.Target(place.where, place.librbd) as target:
        target.write(0, DATA)
        target.sync()
        with full(pool):
            with pytest.raises(device.ContentError, match="the pool is full"):  # once the OSD knows it
                until(lambda: (target.write(700 * 1024**2, DATA), target.sync()) == (), what="a refused write")
            for call in (target.sync, target.sync, lambda: target.write(0, DATA)):
                with pytest.raises(device.ContentError, match="the pool is full"):
                    call()
    driver.delete(one)
