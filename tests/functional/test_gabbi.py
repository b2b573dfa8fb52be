"""The REST contract: every file of gabbi/ against a separate service, over HTTP.

The pytest plugin of gabbi claims every test with a colon in its name, so this module runs the suites itself.
"""

import os
import unittest

import pytest
from gabbi import driver, reporter

from tests.functional import fixtures

HERE = os.path.dirname(os.path.abspath(__file__))
SUITES = sorted(driver.build_tests(
    os.path.join(HERE, "gabbi"), unittest.TestLoader(), host="127.0.0.1", port=fixtures.PORT,
    test_loader_name="contract", fixture_module=fixtures, response_handlers=[fixtures.JSONKeys]),
    key=lambda suite: suite._tests[0].__class__.__name__)
REQUESTS = [pytest.param(suite, one, id=one.__class__.__name__.replace("_", "-", 1).replace("_", " "))
            for suite in SUITES for one in suite]


class Stage:
    """The one suite whose fixtures run: a service from its file's first request to its last."""

    def __init__(self):
        self.playing = None

    def play(self, suite):
        if suite is not self.playing:
            self.clear()
            suite.start(reporter.PyTestResult())
            self.playing = suite

    def clear(self):
        if self.playing is not None:
            self.playing.stop()
        self.playing = None


@pytest.fixture(scope="module")
def stage():
    stage = Stage()
    yield stage
    stage.clear()


@pytest.mark.parametrize(("suite", "asked"), REQUESTS)
def test_request(stage, suite, asked):
    stage.play(suite)
    asked(reporter.PyTestResult())
