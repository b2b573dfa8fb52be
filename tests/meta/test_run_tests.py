"""The exit status of tools/run-tests: 0 if every tier passed."""

import os
import pathlib
import shutil
import subprocess

import pytest

TOOLS = pathlib.Path(__file__).parents[2] / "tools"
TOX = """#!/bin/bash
[ "$1" != --version ] || exit 0
[ "$3" != "$FAILS" ]
"""


@pytest.fixture
def tree(tmp_path):
    """A checkout with the script and a tox that fails for the environment which FAILS names."""
    (tmp_path / "tools").mkdir()
    for name in ("run-tests", "packages.sh"):
        shutil.copy(TOOLS / name, tmp_path / "tools")
    tox = tmp_path / ".tox" / "tool" / "bin" / "tox"
    tox.parent.mkdir(parents=True)
    tox.write_text(TOX)
    tox.chmod(0o755)
    return tmp_path


def run(tree, *arguments, fails=""):
    return subprocess.run(
        [tree / "tools" / "run-tests", *arguments],
        env=os.environ | {"FAILS": fails}, capture_output=True, text=True, timeout=60,
    )


@pytest.mark.parametrize("jobs", ["1", "2", "3"])
def test_all_passed(tree, jobs):
    ran = run(tree, "--jobs", jobs, "unit", "meta")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.count("\npassed  ") == 4


@pytest.mark.parametrize("fails", ["unit", "meta-eventlet"])
def test_one_failed(tree, fails):
    ran = run(tree, "--jobs", "2", "unit", "meta", fails=fails)
    assert ran.returncode == 1
    assert f"\nFAILED  {fails} (" in ran.stdout
    assert ran.stdout.count("\npassed  ") == 3


def test_unknown_tier(tree):
    ran = run(tree, "unti")
    assert ran.returncode == 2
    assert "There is no tier 'unti'." in ran.stderr
