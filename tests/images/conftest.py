"""One Glance for the tests of this tier."""

import pytest

from tests.images.images_service import Glance


@pytest.fixture(scope="session")
def glance():
    with Glance() as running:
        yield running
