"""Servers of this tier: started for the first test that needs one, shared by the run."""

import os

import pytest

from tests.services import servers


@pytest.fixture(scope="session")
def mariadb():
    with servers.MariaDB() as server:
        yield server.start()


@pytest.fixture(scope="session")
def postgresql():
    with servers.PostgreSQL() as server:
        yield server.start()


@pytest.fixture(scope="session")
def rabbitmq():
    with servers.RabbitMQ() as server:
        yield server.start()


@pytest.fixture(params=os.environ.get("CINDER_LITE_DATABASES", "mariadb,postgresql").split(","))
def database(request):
    """Each of the databases that CINDER_LITE_DATABASES names in turn, empty and running."""
    server = request.getfixturevalue(request.param)
    if not server.process.running:
        server.start()
    server.emptied()
    return server


@pytest.fixture
def broker(rabbitmq):
    """The running broker; tests use separate queues or `restart(empty=True)`."""
    if not rabbitmq.process.running:
        rabbitmq.start()
    return rabbitmq
