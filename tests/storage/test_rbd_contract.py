"""The contract suite for the RBD driver, each test in an empty pool of a real Ceph."""

import pytest

from tests.contract.test_drivers import *  # noqa: F403 - the tests themselves, with the fixtures of this module
from tests.storage import rbd


@pytest.fixture
def driver(ceph):
    rbd.emptied(ceph)
    made = rbd.driver(ceph)
    yield made
    made.close()


@pytest.fixture
def keeper(driver):
    return driver
