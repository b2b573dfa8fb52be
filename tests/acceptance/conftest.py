"""One Keystone for the tests of this tier."""

import pytest

from tests.acceptance.identity import Keystone


@pytest.fixture(scope="session")
def keystone():
    with Keystone() as running:
        yield running
