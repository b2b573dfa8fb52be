"""The cluster of this tier, built once, and the figures that its tests print at the end."""

import pytest

from tests import product
from tests.cluster import cluster

FIGURES = []


@pytest.fixture(scope="session")
def whole():
    """The cluster: three hosts, three brokers, three databases, two balancers."""
    product.python()  # made before the network is left
    with cluster.Cluster() as made:
        yield made.start()


@pytest.fixture
def figures():
    """A list of lines that are printed at the end of the run."""
    return FIGURES


def pytest_terminal_summary(terminalreporter):
    for line in FIGURES:
        terminalreporter.write_line(line)
