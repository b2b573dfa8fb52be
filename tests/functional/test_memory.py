"""What a service has imported when it starts: most of its memory, and most of the time that it takes to start."""

import functools
import os
import subprocess
import sys

import pytest

from tests.functional.test_metrics import NULL, Workers

#: Module -> why no service imports it until it is needed.
ABSENT = {
    "asyncio": "SQLAlchemy imports it for drivers that are not used",
    "alembic": "only a schema upgrade needs it",
    "concurrent.futures.process": "oslo.service imports it",
    "cotyledon": "oslo.service imports it",
    "cryptography": "only passwords of MySQL 8 and images with LUKS need it",
    "futurist": "only flows need it",
    "keystoneauth1": "only calls of other OpenStack services need it",
    "lark": "only pools with a filter or goodness function need it",
    "networkx": "only flows need it",
    "opentelemetry": "only tracing needs it",
    "os_brick": "only volumes that are attached on this host need it",
    "oslo_privsep": "only drivers and targets that work as root need it",
    "prometheus_client": "only metrics need it",
    "psutil": "oslo.utils imports it for functions that are not used",
    "pymysql": "only the driver of the database in use is imported",
    "psycopg": "only the driver of the database in use is imported",
    "pyroute2": "only exports to other hosts need it",
    "requests": "only Glance, Nova and Keystone need it",
    "rfc3986": "only options that are URIs need it",
    "rich": "only the command line client needs it",
    "taskflow": "only a create needs it",
}
#: The same of native threads.
GREEN = {
    "dns": "eventlet imports it",
    "eventlet": "it is the other mode",
    "yappi": "oslo.service's backend for eventlet imports it",
}
#: The same of all but the API.
OF_THE_API = dict.fromkeys(("jsonschema", "oslo_policy", "routes", "webob", "xmlrpc.client", "yaml"),
                           "only the API needs it")
#: Service -> modules of its process at most; with eventlet they would be 310 more.
MODULES = {"api": 875, "scheduler": 660, "volume": 686, "backup": 668}


#: Prints the modules that have been executed.
IMPORTED = """
import importlib, sys
for name in "{}".split():
    importlib.import_module("cinder_lite." + name)
from cinder_lite.concurrency.postponed import Postponed
print(*(name for name, module in sys.modules.items() if module and not isinstance(module, Postponed)))
"""


@functools.cache
def imported(*names):
    """The modules of a process that imports these modules of the package, on native threads."""
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", IMPORTED.format(' '.join(names))],
        env={**os.environ, "CINDER_LITE_CONCURRENCY": "threading"}, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr
    return set(ran.stdout.split())


@pytest.mark.parametrize("name", MODULES)
def test_a_service_imports_what_it_uses(name):
    absent = ABSENT | GREEN | ({} if name == "api" else OF_THE_API)
    found = imported(f"cmd.{name}")
    assert found & set(absent) == set()
    assert len(found) <= MODULES[name]


def test_a_flow_imports_what_it_uses():
    found = imported("cmd.volume", "volume.flows.create")
    assert found & {"asyncio", "attr", "jsonschema", "prettytable", "xmlrpc.client"} == set()
    assert len(found) <= MODULES["volume"] + 130


#: Builds the rules of an API, then parses one that uses a check of another package; prints before and after.
CHECKS = """
import sys
from cinder_lite import conf
from cinder_lite.api import enforcer
from oslo_policy import policy
enforcer.Policy(conf.load(argv=[], files=[sys.argv[1]]))
print("requests" in sys.modules)
print(type(policy.RuleDefault("outside", "http://127.0.0.1/").check).__name__, "requests" in sys.modules)
"""


def test_checks_of_other_packages_are_imported_for_a_rule_that_uses_them(tmp_path):
    (tmp_path / "cinder.conf").write_text(f"[DEFAULT]\nstate_path = {tmp_path}\n")
    ran = subprocess.run([sys.executable, "-W", "ignore", "-c", CHECKS, tmp_path / "cinder.conf"],
                         capture_output=True, text=True, timeout=300)
    assert ran.stdout == "False\nHttpCheck True\n", ran.stderr


def memory(pid):
    """{"Rss", "Private_Dirty", ...: bytes} of a process."""
    with open(f"/proc/{pid}/smaps_rollup") as file:
        return {words[0].rstrip(":"): int(words[1]) * 1024 for words in map(str.split, file) if words[-1] == "kB"}


def test_workers_share_what_was_imported_before_the_fork():
    with Workers(backends=("null-1",), target=False, default="osapi_volume_workers = 2",
                 sections={"null-1": NULL}) as running:
        workers = [memory(pid) for pid in running.children()]
        supervisor = memory(running.main.pid)
    assert len(workers) == 2
    assert supervisor["Anonymous"] < 9 * 1024**2
    # A third is a process's own at first; without sharing, nine tenths are.
    assert max(worker["Private_Dirty"] / worker["Rss"] for worker in workers) < 0.6
