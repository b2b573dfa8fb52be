"""Fixtures: a running service for a module, or an installation without services for a test."""

import pytest

from cinder_lite.cmd import manage
from tests.functional.client import Client
from tests.functional.installation import Installation
from tests.functional.service import DIRECTORIES, Service, left


@pytest.fixture(scope="session", autouse=True)
def no_process_is_left():
    """Processes of exports outlive a service: whoever starts one ends them."""
    yield
    assert not left(*DIRECTORIES)


@pytest.fixture(scope="module")
def service():
    with Service() as running:
        yield running


@pytest.fixture
def client(service):
    return Client(service.url)


@pytest.fixture
def here(tmp_path):
    installation = Installation(tmp_path).sync()
    yield installation
    installation.db.dispose()


@pytest.fixture
def run(here, capsys):
    """Run the command: (exit status, standard output, standard error)."""
    def run(*words):
        status = manage.main([*words, "--config-file", here.conf_file])
        return status, *capsys.readouterr()
    return run
