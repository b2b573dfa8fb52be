"""Fixtures: one Keystone, one Glance and one service, shared by the tests of this tier."""

import os

import pytest

from tests.acceptance.clustered import Clustered
from tests.acceptance.identity import Keystone
from tests.acceptance.images import KeystoneGlance
from tests.acceptance.installation import BACKENDS, Installation, login
from tests.acceptance.person import Person
from tests.functional.nova import Nova
from tests.services.processes import until


@pytest.fixture(scope="session")
def keystone():
    with Keystone() as running:
        yield running


@pytest.fixture(scope="session")
def nova(keystone):
    with Nova() as running:
        keystone.register(running.url, "compute")
        yield running


@pytest.fixture(scope="session")
def service(keystone, nova):
    kind = Clustered if os.environ.get("CINDER_LITE_CLUSTERED") else Installation
    with kind(keystone, {"nova": login(keystone)}) as running:
        keystone.register(f"{running.url}/v3/%(project_id)s", "volumev3", "block-storage")
        admin = Person(keystone, "admin")
        until(lambda: len(admin("GET", "/scheduler-stats/get_pools", expect=200)["pools"]) == len(BACKENDS),
              what="the backends reporting their pools")
        yield running


@pytest.fixture(scope="session")
def images(keystone):
    with KeystoneGlance(keystone) as running:
        keystone.register(running.url, "image")
        yield running


@pytest.fixture
def people(keystone, service):
    """A client for each name: people("ann")."""
    return lambda name, **scope: Person(keystone, name, **scope)
