"""The contract suite for the LVM driver, thin and thick, each test in a separate volume group."""

import pytest

from tests.contract.test_drivers import *  # noqa: F403 - the tests themselves, with the fixtures of this module
from tests.storage import lvm


@pytest.fixture(params=["thin", "default"])
def driver(request):
    with lvm.group() as name:
        yield lvm.driver(name, lvm.SmallDriver, lvm_type=request.param)


@pytest.fixture
def keeper(driver):
    return driver
