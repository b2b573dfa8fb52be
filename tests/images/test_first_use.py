"""First use in a new environment with only the package and its requirements.

All modules can be imported, the demonstration of quickstart succeeds, and a volume is created from an image.
"""

import ast
import configparser
import json
import os
import shutil
import signal
import subprocess
import sys

import pytest

from tests.images import disks
from tests.meta import source
from tests.services import processes

SETUP = configparser.ConfigParser(delimiters=("=",))
SETUP.read(source.TOP / "setup.cfg")
#: What users may ask for beside the package: every extra but the tests' own.
EXTRAS = sorted(set(SETUP["options.extras_require"]) - {"test"})
#: What an installation takes from a checkout.
SOURCES = ("cinder_lite", "setup.cfg", "pyproject.toml", "README.md", "LICENSE")
#: Debian's, for the Python of the system: only the process that a driver starts there imports them.
OF_DEBIAN = {"rados", "rbd"}
#: What an extra brings.
OF_EXTRAS = {"opentelemetry": "tracing", "MySQLdb": "mariadb"}
#: Imports all modules, then executes each import of any function, then loads the entry points; prints what failed.
IMPORTS = """
import importlib, importlib.metadata, json, pkgutil, sys
from cinder_lite import concurrency
concurrency.patch()
import cinder_lite
failed = {}
def attempt(name, function, *arguments):
    try:
        function(*arguments)
    except Exception as error:
        failed[name] = getattr(error, "name", None) or repr(error)
for module in pkgutil.walk_packages(cinder_lite.__path__, "cinder_lite."):
    if not module.name.startswith("cinder_lite.db.migrations"):
        attempt(module.name, importlib.import_module, module.name)
for statement in json.load(sys.stdin):
    attempt(statement, exec, statement, {})
for entry in importlib.metadata.distribution("cinder-lite").entry_points:
    attempt(f"{entry.group}: {entry.name}", entry.load)
print(json.dumps([cinder_lite.__path__[0], failed]))
"""
DISK = disks.disk(8 * disks.MIB)


def install(directory, extra=None):
    """Make an environment of a copy of this checkout; its bin directory."""
    tree, environment = directory / "tree", directory / "environment"
    tree.mkdir()
    for name in SOURCES:
        path = source.TOP / name
        if path.is_dir():
            shutil.copytree(path, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, tree)
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    subprocess.run([environment / "bin/python", source.TOP / "tools/pip_install.py", "-q", "-c",
                    source.TOP / "constraints.txt",
                    f"{tree}[{extra}]" if extra else tree], check=True)
    shutil.rmtree(tree)
    return environment / "bin"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    return install(tmp_path_factory.mktemp("alone"))


def outside():
    """The environment of a user: nothing leads to the checkout."""
    return {name: value for name, value in os.environ.items()
            if not name.startswith(("PYTHON", "OS_", "CINDER_LITE_EN"))}


def not_imported(programs, directory):
    """{module, import or entry point: what is missing for it} in an environment, in the mode that excludes none."""
    statements = sorted({ast.unparse(node) for module in source.modules("cinder_lite") for node in ast.walk(module.tree)
                         if isinstance(node, ast.Import | ast.ImportFrom)})
    done = subprocess.run([programs / "python", "-W", "ignore", "-c", IMPORTS], input=json.dumps(statements),
                          cwd=directory,
                          env=outside() | {"CINDER_LITE_CONCURRENCY": "eventlet"}, capture_output=True, text=True,
                          check=True)
    place, failed = json.loads(done.stdout)
    assert place.startswith(str(programs.parent))
    return {name: missing for name, missing in failed.items() if missing.partition(".")[0] not in OF_DEBIAN}


def test_every_import_works_with_the_package_alone(installed, tmp_path):
    failed = not_imported(installed, tmp_path)
    assert {name: missing for name, missing in failed.items() if missing.partition(".")[0] not in OF_EXTRAS} == {}
    assert set(OF_EXTRAS.values()) == set(EXTRAS)


@pytest.mark.parametrize("extra", EXTRAS)
def test_every_import_works_with_an_extra(extra, tmp_path):
    brought = {name for name, its in OF_EXTRAS.items() if its == extra}
    failed = not_imported(install(tmp_path, extra), tmp_path)
    assert {name: missing for name, missing in failed.items()
            if missing.partition(".")[0] not in OF_EXTRAS.keys() - brought} == {}


def test_quickstart_and_a_volume_of_an_image(installed, glance, tmp_path):
    directory = processes.Directory("first-use")
    state, port = os.path.join(directory.path, "state"), processes.free_port()
    words = [installed / "python", source.TOP / "tools/quickstart.py", "--state", state, "--port", str(port)]
    done = subprocess.run([*words, "--once"], env=outside(), cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0 and "comparisons held" in done.stdout, done.stdout + done.stderr
    with open(f"{state}/cinder.conf") as file:
        text = file.read()
    with open(f"{state}/cinder.conf", "w") as file:
        file.write(text.replace("[DEFAULT]\n", f"[DEFAULT]\nglance_api_servers = {glance.url}\n"))
    running = processes.Process("quickstart", words, f"{directory.path}/log", outside())
    running.start()
    try:
        running.wait(lambda: running.tail(1).startswith("Press Ctrl-C to stop"), limit=300)
        for disk_format in ("raw", "qcow2"):
            id = glance.create(disks.convert(tmp_path, DISK, disk_format), disk_format=disk_format)
            made = subprocess.run([installed / "cinder-lite", "create", "1", "--image-id", id, "--wait"], cwd=tmp_path,
                                  env={**outside(), "CINDER_LITE_ENDPOINT": f"http://127.0.0.1:{port}/v3"},
                                  capture_output=True, text=True)
            assert made.returncode == 0 and "available" in made.stdout, made.stdout + made.stderr + running.tail()
        assert running.stop(signal.SIGINT) == 0, running.tail()
    finally:
        running.kill()
        directory.remove()


def test_the_constraints_leave_room_for_what_speaks_s3(installed):
    done = subprocess.run([installed / "python", source.TOP / "tools/pip_install.py", "--dry-run", "-c",
                           source.TOP / "constraints.txt", *SETUP["options"]["install_requires"].split(),
                           *SETUP["options.extras_require"]["test"].split(), "boto3"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
