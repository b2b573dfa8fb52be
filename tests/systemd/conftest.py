"""The host of the tests of a file."""

import pytest

from tests.systemd import debian
from tests.systemd.page import LOGIN


@pytest.fixture(scope="module")
def host():
    debian.prepare()
    with debian.Host() as host:
        yield host


@pytest.fixture
def run(host):
    """Run a script with the administrator's login, in the checkout; returns what it says."""
    return lambda script: host.run(f"{LOGIN}\n{script}")
