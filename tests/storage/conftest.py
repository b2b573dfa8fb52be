"""Storage shared by the tests of this tier, started for the first test that needs it."""

import pytest

from tests.storage import inlab, rbd
from tests.storage.ceph import Ceph


def pytest_configure(config):
    config.pluginmanager.register(inlab.Labs())


@pytest.fixture(scope="session")
def ceph():
    """A real Ceph that runs until the end of the tests."""
    with Ceph() as cluster:
        yield cluster.start()


@pytest.fixture(scope="module")
def pool(ceph):
    """It with an empty pool of volumes."""
    rbd.emptied(ceph)
    return ceph


@pytest.fixture
def driver(pool):
    """An RBD driver on it, ended with the test."""
    made = rbd.driver(pool)
    yield made
    made.close()
