"""Storage that tests of this tier share: started for the first test that wants it."""

import pytest

from tests.storage import inlab
from tests.storage.ceph import Ceph


def pytest_configure(config):
    config.pluginmanager.register(inlab.Labs())


@pytest.fixture(scope="session")
def ceph():
    """A real Ceph that runs until the end of the tests."""
    with Ceph() as cluster:
        yield cluster.start()
