"""One running service for the tests of a module."""

import pytest

from tests.functional.client import Client
from tests.functional.service import Service


@pytest.fixture(scope="module")
def service():
    with Service() as running:
        yield running


@pytest.fixture
def client(service):
    return Client(service.url)
