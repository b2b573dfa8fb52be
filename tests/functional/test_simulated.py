"""Runs the simulated worlds of tests/simulation with fixed seeds: all services on two hosts, with faults."""

import json
import subprocess
import sys

import pytest

from cinder_lite.states import lookup
from tests.meta.source import TOP

pytestmark = pytest.mark.once
SEEDS = "1-20"
#: Actions of which only a fault makes jobs.
BY_FAULTS = {("leftover", "remove_copy"), ("image", "delete")}
#: A seed whose world finds the mutant of its test.
FINDS = 3


def simulated(*arguments, module="tests.simulation"):
    return subprocess.run([sys.executable, "-W", "ignore", "-m", module, *map(str, arguments)],
                          cwd=TOP, capture_output=True, text=True)


def found(done):
    return {run["seed"]: run for run in map(json.loads, done.stdout.splitlines())}


@pytest.fixture(scope="module")
def runs():
    """{seed: what its run found}; 0 is the run with all requests and without faults."""
    done = simulated("--tour", SEEDS)
    assert done.returncode == 0, done.stderr[-20000:]
    return found(done)


def test_no_rule_breaks_in_the_worlds_of_these_seeds(runs):
    assert len(runs) == 21 and not any("broken" in run for run in runs.values())


def test_every_action_is_requested(runs):
    """An action without a request would pass, whatever it does."""
    wanted = {(kind, row.name) for kind, row in lookup.rows() if row.work} - BY_FAULTS
    assert wanted - {(kind, action) for kind, action, _, _ in runs[0]["ended"]} == set()


def test_they_have_most_actions_and_all_kinds_of_faults(runs):
    """Otherwise a world without rules to break would pass."""
    ended = {(kind, action) for run in runs.values() for kind, action, _, _ in run["ended"]}
    faults = {fault for run in runs.values() for fault, _ in run["covered"]}
    assert len(ended) >= 20 and len(faults) >= 10
    assert sum(run["accepted"] for run in runs.values()) > 500


def test_time_passes_without_waiting(runs):
    assert sum(run["seconds"] for run in runs.values()) > 3600


def test_a_seed_has_the_same_events_in_another_process(runs):
    again = found(simulated(3, 4))
    assert [(run["trace"], run["events"], run["seconds"]) for run in again.values()] == [
        (runs[seed]["trace"], runs[seed]["events"], runs[seed]["seconds"]) for seed in (3, 4)]


def test_seeds_differ(runs):
    assert len({run["trace"] for run in runs.values()}) == len(runs)


def test_a_fault_that_is_brought_back_is_found_and_told():
    done = simulated("--mutant", "no_quota_released", "--shrink", FINDS)
    assert done.returncode == 1
    run, = found(done).values()
    assert run["broken"].startswith("Broken: usage is ")
    assert "Plan(" in done.stderr and "request    " in done.stderr


def test_mutants_are_counted():
    done = simulated("--seeds", f"{FINDS}-{FINDS}", "no_quota_released", module="tests.simulation.mutation")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "1 of 1 killed")
