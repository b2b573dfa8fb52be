"""setup.cfg and the sample configuration match the package."""

import configparser
import importlib.metadata
import os
import re
import subprocess
import sys

import pytest

from tests.meta import source

SETUP = configparser.ConfigParser(delimiters=("=",))
SETUP.optionxform = str
SETUP.read(source.TOP / "setup.cfg")

ENTRY_POINTS = [
    importlib.metadata.EntryPoint(*(part.strip() for part in line.split("=")), group)
    for group, lines in SETUP["options.entry_points"].items() for line in lines.strip().splitlines()
]


#: The commands that people start; the service manager starts root's.
COMMANDS = [entry.name for entry in ENTRY_POINTS if entry.group == "console_scripts"
            and entry.name != "cinder-lite-privsep"]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_says_the_version_of_this_package(name):
    for folder in (os.path.dirname(sys.executable), source.TOP / "bin"):
        done = subprocess.run([os.path.join(folder, name), "--version"], capture_output=True, text=True, cwd="/")
        assert (done.returncode, done.stdout.strip()) == (0, f"{name} {SETUP['metadata']['version']}"), done.stderr


def normal(name):
    """A package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("entry", ENTRY_POINTS, ids=lambda entry: f"{entry.group}:{entry.name}")
def test_an_entry_point_can_be_loaded(entry):
    loaded = entry.load()
    if entry.group == "cinder_lite.blockio":
        assert callable(loaded.Source) and callable(loaded.Target)
    else:
        assert callable(loaded)


def test_what_is_installed_has_the_entry_points_of_the_checkout():
    installed = importlib.metadata.distribution("cinder-lite").entry_points
    assert {(e.group, e.name, e.value) for e in installed} == {(e.group, e.name, e.value) for e in ENTRY_POINTS}


#: Modules of Debian's, for the Python of the system, which a driver starts a process with.
OF_DEBIAN = {"rados", "rbd"}
#: The driver that the benchmark has a Cinder load, in that Cinder's environment.
OF_CINDER = {("cinder", "tools/benchmark/cinder_null.py")}


@pytest.mark.parametrize("folder", ["cinder_lite", "tools"])
def test_what_is_imported_is_named_as_a_dependency(folder):
    wanted = (SETUP["options"]["install_requires"] + SETUP["options.extras_require"]["tracing"]).strip().splitlines()
    named = {normal(re.match(r"[\w.-]+", line)[0]) for line in wanted if not line.startswith("#")}
    owners = importlib.metadata.packages_distributions()
    files = list((source.TOP / folder).rglob("*.py")) if folder == "tools" else []
    beside = {path.stem for path in files} | {path.parent.name for path in files}
    known = sys.stdlib_module_names | OF_DEBIAN | beside | {"cinder_lite"}
    used = {(name.split(".")[0], module.name) for module in source.modules(folder) for _, name in module.imports()
            if not name.startswith("tests.")}
    # Some names (opentelemetry) are of several packages, of which one is asked for.
    assert sorted((name, where) for name, where in used
                  if name not in known and (name, where) not in OF_CINDER
                  and not {*map(normal, owners.get(name, ()))} & named) == []


def test_constraints_pin_each_dependency_at_least_at_its_lowest_version():
    pins = dict(line.split("==") for line in (source.TOP / "constraints.txt").read_text().splitlines()
                if not line.startswith("#"))
    pins = {normal(name): version for name, version in pins.items()}
    extras = SETUP["options.extras_require"]
    wanted = SETUP["options"]["install_requires"] + "".join(extras.values())
    for line in wanted.strip().splitlines():
        name, lowest = re.fullmatch(r"([\w.-]+)(?:\[\w+\])?>=([\w.]+)(?:,<[\w.]+)?", line).groups()
        assert numbers(pins[normal(name)]) >= numbers(lowest), name


def numbers(version):
    return [int(part) for part in re.findall(r"\d+", version)]


def test_the_sample_configuration_is_fresh(tmp_path):
    fresh = tmp_path / "sample"
    subprocess.run([sys.executable, "-c", "from oslo_config import generator; generator.main()", "--config-file",
                    "etc/cinder/config-generator.conf", "--output-file", fresh], cwd=source.TOP, check=True)
    sample = source.TOP / "etc/cinder/cinder.conf.sample"
    renew = "oslo-config-generator --config-file etc/cinder/config-generator.conf"
    assert sample.read_text() == fresh.read_text(), f"renew it with {renew}"
