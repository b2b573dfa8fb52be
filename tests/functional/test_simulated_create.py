"""Creates over API, scheduler and volume service in simulated processes: virtual clock, lost messages, seeds."""

import json
import subprocess
import sys

import pytest

from tests.meta.source import TOP

pytestmark = pytest.mark.once
#: In four of these runs no message is lost.
SEEDS = range(14, 24)


def simulated(*arguments):
    return subprocess.run([sys.executable, "-W", "ignore", "-m", "tests.simulation.create", *map(str, arguments)],
                          cwd=TOP, capture_output=True, text=True)


@pytest.fixture(scope="module")
def runs():
    """{seed: what its run printed}"""
    done = simulated(*SEEDS)
    assert done.returncode == 0, done.stderr
    return {run["seed"]: run for run in map(json.loads, done.stdout.splitlines())}


def test_all_seeds_create_their_volumes_with_lost_messages_and_without(runs):
    assert set(runs) == set(SEEDS)
    assert {run["lost"] > 0 for run in runs.values()} == {True, False}


def test_time_passes_without_waiting(runs):
    """A lost message is found by the sweep of the next minute; all seeds together would take most of an hour."""
    assert [run["slowest"] > 30 for run in runs.values()] == [run["lost"] > 0 for run in runs.values()]
    assert sum(run["seconds"] for run in runs.values()) > 3000


def test_a_seed_has_the_same_events_in_another_process(runs):
    again = [json.loads(line) for line in simulated(*SEEDS[:2]).stdout.splitlines()]
    assert [(run["trace"], run["events"], run["seconds"]) for run in again] == [
        (run["trace"], run["events"], run["seconds"]) for run in (runs[SEEDS[0]], runs[SEEDS[1]])]


def test_seeds_differ(runs):
    assert len({run["trace"] for run in runs.values()}) == len(SEEDS)


def test_a_lost_message_that_nothing_finds_fails_the_run(runs):
    losing = next(seed for seed in SEEDS if runs[seed]["lost"])
    done = simulated("--sweep", 100000, losing)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"seed {losing}: " in done.stderr and "in vain for the volumes" in done.stderr
