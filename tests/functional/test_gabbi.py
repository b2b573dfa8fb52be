"""The REST contract: every file of gabbi/ against a service of its own, over HTTP."""

import os

from gabbi import driver
from gabbi.driver import test_pytest  # noqa: F401 - what pytest collects; the parameters come from below

from tests.functional import fixtures

HERE = os.path.dirname(os.path.abspath(__file__))


def pytest_generate_tests(metafunc):
    driver.py_test_generator(
        os.path.join(HERE, "gabbi"), host="127.0.0.1", port=fixtures.PORT, test_loader_name="contract",
        fixture_module=fixtures, response_handlers=[fixtures.JSONKeys], metafunc=metafunc)
