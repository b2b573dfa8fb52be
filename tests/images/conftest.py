"""Fixtures: one Glance for the tests of this tier, and a service that uses it."""

import pytest

from tests.functional.client import Client
from tests.functional.service import Service
from tests.images.images_service import Glance

OPTIONS = "job_sweep_interval = 1\nquota_volumes = 1000\nquota_gigabytes = -1\nglance_num_retries = 1\n"
#: A backend without an iSCSI target.
SECTION = """
[{name}]
volume_driver = {driver}
file_volume_dir = {{state}}/volumes
target_helper = nbd
{options}
"""


def running(glance, options="", backend_options="", driver="file"):
    """A service that uses that Glance, with one backend, file-1."""
    return Service(target=False, default=f"{OPTIONS}glance_api_servers = {glance.url}\n{options}",
                   sections={"file-1": SECTION.format(name="file-1", options=backend_options, driver=driver)})


@pytest.fixture(scope="session")
def glance():
    with Glance() as started:
        yield started


@pytest.fixture(scope="module")
def service(glance):
    with running(glance, "enable_force_upload = true") as started:
        yield started


@pytest.fixture
def client(service):
    return Client(service.url)
