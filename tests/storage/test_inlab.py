"""A lab that ends early fails one test; the other tests still run."""

import os
import subprocess
import sys

import pytest

from tests.meta.source import TOP
from tests.storage import inlab

CONFTEST = """
import pytest

from tests.storage import inlab


class Lab:
    def __init__(self, folder, nodes):
        self.folder, self.nodes = folder, nodes
        print("a lab for", len(nodes))

    def reports(self, config, node):
        for when in ("setup", "call", "teardown"):
            if when == "call" and "ends" in node:
                raise inlab.Ended("the lab has ended")
            if when == "call" and "hangs" in node:
                pytest.fail("Timeout")
            yield pytest.TestReport(node, (node, 0, node), {}, "passed", None, when)

    def end(self):
        print("a lab has ended")


def pytest_configure(config):
    config.pluginmanager.register(inlab.Labs(Lab))
"""
TESTS = "\n".join(f"def test_{name}(): pass" for name in ("one", "ends", "two", "hangs", "three"))


def test_others_run_in_another_lab(tmp_path):
    (tmp_path / "lab").mkdir()
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "lab/test_five.py").write_text(TESTS)
    environment = {name: value for name, value in os.environ.items() if name != "KERNEL_LAB"} | {"PYTHONPATH": str(TOP)}
    done = subprocess.run([sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-s", "-rf", "lab"], cwd=tmp_path,
                          env=environment, capture_output=True, text=True)
    said = done.stdout
    assert "2 failed, 3 passed" in said, said + done.stderr
    assert "FAILED lab/test_five.py::test_ends" in said and "FAILED lab/test_five.py::test_hangs" in said
    assert [said.count(f"a lab for {count}") for count in (5, 3, 1)] == [1, 1, 1]


def test_how_a_lab_ended_and_what_it_said_is_told():
    lab = inlab.Lab("lab", ["tests/nothing.py::test_nothing"])
    with pytest.raises(inlab.Ended, match="(?s)ended with status 4:.*not found: .*tests/nothing.py"):
        list(lab.reports(None, "tests/nothing.py::test_nothing"))
