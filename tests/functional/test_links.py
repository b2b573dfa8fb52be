"""A backend with failed storage links is down until a link recovers, and exports on the remaining addresses."""

import pathlib
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]


def test_links_and_addresses_that_go_and_come():
    done = subprocess.run(["unshare", "--net", sys.executable, "-W", "ignore", "-m", "tests.functional.links"], cwd=TOP,
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["up", "10.1.0.1", "down", "True", "up", "10.3.0.9"]
