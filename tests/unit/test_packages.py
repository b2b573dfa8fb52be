"""tools/packages.sh: progress and errors of a step."""

import pathlib
import re
import subprocess

TOOLS = pathlib.Path(__file__).parents[2] / "tools"


def step(command):
    return subprocess.run(["bash", "-euo", "pipefail", "-c",
                           f'. "{TOOLS}/packages.sh"; step "Doing it" sh -c \'{command}\''],
                          capture_output=True, text=True)


def test_a_long_step_shows_progress():
    done = step("echo said; sleep 3")
    assert done.returncode == 0 and re.fullmatch(r"Doing it +\.+ \d+ s\n", done.stdout)


def test_a_failed_step_shows_its_output():
    done = step("echo why; exit 3")
    assert (done.returncode, done.stderr) == (3, "why\n")
