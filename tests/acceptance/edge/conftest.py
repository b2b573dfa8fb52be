"""Fixtures: one Cinder API and one cinder-lite API for all tests of the edge cases."""

import pytest

from tests.acceptance.edge.both import Both


@pytest.fixture(scope="session")
def both():
    asked = Both()
    yield asked
    asked.close()
