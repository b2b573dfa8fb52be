"""Runs the tests of a directory in the kernel lab and forwards their reports to this pytest.

`python -m tests.storage.inlab NODE...` is the pytest in the lab: it writes each report as a line of JSON.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
#: Folder of tests -> what the lab is given for them. A real Cinder with its database and broker needs more than 1 GiB.
LABS = {"lab": ("--memory", "2G", "--disk", "12G", "--disk", "12G"), "lab3": ("--hosts", "3", "--disk", "12G")}
#: Labs that run side by side for one folder, each a part of its files: a lab has one processor.
SIDE_BY_SIDE = 2


def folder_of(item):
    """The folder that the item's lab is for; None when it needs none, or runs in one already."""
    folder = item.path.parent.name
    return folder if folder in LABS and "KERNEL_LAB" not in os.environ else None


class Ended(Exception):
    """A lab has ended before its time; the text is what it said."""


class Lab:
    """One lab in which the given items run, one after the other."""

    def __init__(self, folder, nodes):
        self.folder, self.nodes = folder, nodes
        self._said = tempfile.TemporaryFile("w+")
        self._running = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", TOP / "tools/kernel-lab", *LABS[folder], "--", sys.executable, "-m",
             "tests.storage.inlab", *nodes],
            cwd=TOP, stdout=subprocess.PIPE, stderr=self._said, text=True)
        self._reports = {}

    def reports(self, config, node):
        """Yield the reports of an item as they come."""
        when = None
        while when != "teardown":
            while not self._reports.get(node):
                line = self._running.stdout.readline()
                if not line:
                    status = self._running.wait()
                    self._said.seek(0)
                    raise Ended(f"the lab has ended with status {status}:\n{self._said.read()}")
                data = json.loads(line)
                self._reports.setdefault(data["nodeid"], []).append(data)
            report = config.hook.pytest_report_from_serializable(config=config, data=self._reports[node].pop(0))
            when = report.when
            yield report

    def end(self):
        self._running.kill()
        self._running.wait()


class Labs:
    """The plugin of the pytest outside. A test whose lab ends, or that takes too long, fails; others have another
    lab then."""

    def __init__(self, lab=Lab):
        self._make, self._labs, self._lab_of = lab, [], {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item):
        folder = folder_of(item)
        if folder is None:
            return None
        if item.nodeid not in self._lab_of:
            self._start(folder, [one for one in item.session.items if folder_of(one) == folder])
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        lab = self._lab_of[item.nodeid]
        try:
            for report in lab.reports(item.config, item.nodeid):
                item.ihook.pytest_runtest_logreport(report=report)
        except (Ended, pytest.fail.Exception) as error:  # the latter when it has taken too long
            item.ihook.pytest_runtest_logreport(report=pytest.TestReport(
                item.nodeid, item.location, dict.fromkeys(item.keywords, 1), "failed", str(error), "call"))
            lab.end()
            self._run(lab.folder, lab.nodes[lab.nodes.index(item.nodeid) + 1:])
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    def _start(self, folder, items):
        files = list(dict.fromkeys(item.path for item in items))
        for number in range(min(SIDE_BY_SIDE, len(files))):
            self._run(folder, [item.nodeid for item in items if item.path in files[number::SIDE_BY_SIDE]])

    def _run(self, folder, nodes):
        """Have the items run in a lab of their own."""
        if nodes:
            lab = self._make(folder, nodes)
            self._labs.append(lab)
            self._lab_of |= dict.fromkeys(nodes, lab)

    def pytest_sessionfinish(self):
        for lab in self._labs:
            lab.end()


class Reporter:
    """The plugin of the pytest within."""

    def __init__(self, file):
        self._file = file

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config):
        self._config = config

    def pytest_runtest_logreport(self, report):
        data = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        print(json.dumps(data), file=self._file, flush=True)


if __name__ == "__main__":
    reports = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    # The pytest outside sees to it that no test takes too long. What tests write is in the lab's memory.
    sys.exit(pytest.main(["-p", "no:cacheprovider", "-o", "tmp_path_retention_policy=failed", "--timeout=0",
                          *sys.argv[1:]],
                         [Reporter(reports)]))
