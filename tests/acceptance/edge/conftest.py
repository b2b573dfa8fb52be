"""One Cinder API and one of ours for all tests of the edge."""

import pytest

from tests.acceptance.edge.both import Both


@pytest.fixture(scope="session")
def both():
    asked = Both()
    yield asked
    asked.close()
