"""Runs bench.py against a system and keeps the runs of each scenario with their medians."""

import json
import os
import subprocess
import sys
import tempfile

import bench

HERE = os.path.dirname(os.path.abspath(__file__))
#: The suffix of a scenario in cinder-29.json, if its name differs.
SUFFIXES = {"list_latency": ".1000", "backup": ".rbd", "memory": ".after_load"}
#: A short run of a scenario, so that the first measured one finds modules imported, connections open and caches filled.
WARM_UP = ("--secs", "1", "--n-latency", "5", "--n-throughput", "32", "--n-snap-latency", "2", "--n-snap", "16",
           "--n-derived", "2", "--n-attach", "3", "--n-image", "1")
#: Scenarios that measure nothing that a warm-up could change.
COLD = ("memory", "backup")


def name_of(scenario: str) -> str:
    """A scenario's name in result files."""
    return scenario + SUFFIXES.get(scenario, "")


def _bare(scenario):
    """A scenario's name in bench.py."""
    return scenario.partition(".")[0]


class Results:
    """The runs of one system, as in the result files."""

    def __init__(self, label):
        self.label, self.scenarios = label, {}

    def add(self, name, run):
        """Keep a run."""
        runs = self.scenarios.setdefault(name, {"runs": []})["runs"]
        runs.append(run)
        self.scenarios[name]["summary"] = bench.summary(runs)

    def load(self, name):
        """The other load of the machine during a scenario, in cores, as text."""
        found = self.scenarios.get(name, {}).get("summary", {}).get("other_load_cores")
        return f"{self.label} {found['median']:.2f} [{found['min']:.2f} .. {found['max']:.2f}]" if found else ""

    @property
    def failed(self):
        """Whether a run failed."""
        return any("failed" in run for one in self.scenarios.values() for run in one["runs"])

    def write(self, path):
        """Write the result file."""
        with open(path, "w") as file:
            json.dump({"label": self.label, "cpus": os.cpu_count(), "scenarios": self.scenarios}, file, indent=1)


def warm_up(system, scenario, token):
    """Run a scenario for a moment, unless it is one of COLD."""
    if _bare(scenario) not in COLD:
        _run(system, scenario, token, WARM_UP)


def measure(system, scenario, token, secs):
    """The figures of one run of a scenario."""
    return _run(system, scenario, token, ("--secs", str(secs)))


def _run(system, scenario, token, more):
    with tempfile.NamedTemporaryFile() as out:
        argv = [sys.executable, os.path.join(HERE, "bench.py"), "--endpoint", system.endpoint, "--token", token,
                "--runs", "1", "--scenarios", _bare(scenario), "--label", system.name, "--out", out.name, *more,
                *system.arguments(scenario)]
        groups = system.groups()
        if groups:
            argv += ["--pids", ",".join(f"{name}={pid}" for name, pid in groups),
                     "--also", ",".join(map(str, system.also()))]
        status = subprocess.run(argv, stdout=subprocess.DEVNULL).returncode
        text = out.read()
    if not text:
        return {"failed": f"bench.py ended with status {status}"}
    return json.loads(text)["scenarios"][_bare(scenario)]["runs"][0]
