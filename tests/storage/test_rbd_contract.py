"""The contract suite for the RBD driver, each test in an empty pool of a real Ceph."""

import pytest

from tests.contract.test_drivers import *  # noqa: F403 - the tests themselves, with the fixtures of this module
from tests.storage import rbd


@pytest.fixture(params=[None, "blue"], ids=["of one host", "of a cluster"])
def driver(request, ceph):
    rbd.emptied(ceph)
    made = rbd.driver(ceph, cluster=request.param)
    yield made
    made.close()


@pytest.fixture
def keeper(driver):
    return driver
