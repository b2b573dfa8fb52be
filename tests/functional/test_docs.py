"""The documentation: every command of a page runs, in its order, and every option exists."""

import contextlib
import dataclasses
import io
import os
import re
import shlex
import subprocess
import sys

import pytest

from cinder_lite import conf as configuration
from cinder_lite.client.shell import Shell
from cinder_lite.cmd import manage
from cinder_lite.conf import unread
from tests.functional.service import Service
from tests.meta.source import TOP

pytestmark = pytest.mark.once

#: Pages whose commands are typed here, at a service with two backends.
TYPED = ("README.md", "docs/backends.md", "docs/backup.md", "docs/ha.md", "docs/identity.md", "docs/jobs.md",
         "docs/troubleshooting.md", "docs/upgrade.md")
#: Commands that need more than that service: how they begin -> (the file that runs them, by which words).
ELSEWHERE = {
    "./tools/quickstart": ("tests/services/test_quickstart.py", "quickstart.py"),
    "./tools/run-tests": ("tests/meta/test_run_tests.py", "run-tests"),
    ".tox/venv/bin/python -m pytest": ("tox.ini", "pytest"),
    ".tox/venv/bin/python tools/bench": ("tests/unit/test_bench.py", '"--help"'),
    ".tox/venv/bin/python -m tests.simulation": ("tests/functional/test_simulated.py", "tests.simulation"),
    ".tox/venv/bin/tox run -e cinder": ("tox.ini", "tox run -q -e keystone,glance,judges,nova,cinder"),
    "apt-get install -y lvm2": ("tests/systemd/test_installation.py", "Installation"),
    "export OS_": ("tests/acceptance/test_logins.py", "docs/identity.md"),
    ". quickstart-state/admin.rc": ("tests/acceptance/test_logins.py", "README.md"),
    ". /etc/cinder/admin.rc": ("tests/systemd/test_installation.py", "Installation"),
    "vgcreate cinder-volumes": ("tests/systemd/test_installation.py", "Installation"),
    "tools/install --services": ("tests/systemd/test_installation.py", "Installation"),
    "systemctl status 'cinder-lite*'": ("tests/systemd/test_installation.py", "Installation"),
    "tools/chroot-check": ("tests/systemd/debian.py", "tools/chroot-check"),
    "tools/kernel-lab": ("tests/storage/test_kernel_lab.py", "kernel-lab"),
    "openstack volume list": ("tests/acceptance/test_logins.py", "README.md"),
    "ceph osd pool create": ("tests/storage/ceph.py", '"osd", "pool", "create"'),
    "ceph auth get-or-create": ("tests/storage/ceph.py", "get-or-create"),
    "cinder-lite qos-": ("tests/acceptance/test_cinder_shell.py", '"qos-create"'),
    "cinder-lite-manage import-cinder": ("tests/storage/test_adopting_ceph.py", '"import-cinder", "--from"'),
    **dict.fromkeys(("rabbitmqctl", "mariadb -e", "haproxy -c", "keepalived -t"),
                    ("tests/cluster/test_page.py", "WHERE")),
    "psql -c": ("tests/cluster/pair.py", 'page.commands("psql")'),
    "cinder-lite-manage db sync": ("tests/functional/test_manage.py", '"db", "sync"')}
#: Pages whose commands have a test of their own, because they change the machine.
OWN = {"docs/active-active.md", "docs/install.md", "docs/monitoring.md"}
STOPPED, STARTED = "# with the services stopped", "# with the services started"
SECTION = """
[{name}]
volume_driver = file
volume_backend_name = {calls}
file_volume_dir = {{state}}/{name}
target_helper = nbd
"""


@dataclasses.dataclass(frozen=True)
class Block:
    """An indented block of a page: settings, commands, or a list of paths."""

    page: str
    lines: tuple

    @property
    def is_settings(self):
        return any(re.match(r"\[[\w-]+\]$", line) for line in self.lines)

    @property
    def is_listing(self):
        """Whether the block is a list of paths, or lines of another file."""
        return all(line.startswith(("cinder_lite/", "tests/", "#", "ann:", "cinder ALL")) for line in self.lines)


def pages():
    return ["README.md", *sorted(str(path.relative_to(TOP)) for path in (TOP / "docs").glob("*.md"))]


def blocks(page):
    text = re.sub(r"^```.*?^```$", "", (TOP / page).read_text(), flags=re.MULTILINE | re.DOTALL)
    for found in re.findall(r"(?:(?<=\n\n)|\A)((?: {4,}\S.*\n+)+)", text):
        yield Block(page, tuple(line.strip() for line in found.splitlines() if line.strip()))


def commands(page):
    """The commands of a page, without their comments."""
    for block in blocks(page):
        if not block.is_settings and not block.is_listing:
            yield from (re.sub(r"\s{2,}#.*", "", line) for line in block.lines if line != "|")


def begins(command):
    """Where a command is run that is not typed here, or None."""
    return next((test for words, test in ELSEWHERE.items() if command.startswith(words)), None)


class Person:
    """Runs commands against a service."""

    def __init__(self, service, directory, monkeypatch):
        self.service, self.directory, self.monkeypatch = service, directory, monkeypatch
        self.running = True
        monkeypatch.setenv("CINDER_LITE_ENDPOINT", f"{service.url}/v3")

    def types(self, page, command):
        """Run one command. Returns a description of its failure, or None."""
        if command in (STOPPED, STARTED):
            self.turn(command == STARTED)
            return None
        if (page, command) == ("docs/backup.md", "cinder-lite-manage db sync"):
            os.unlink(os.path.join(self.service.state, "cinder.sqlite"))
        command = command.replace("/var/backups", self.directory).replace("/etc", self.directory).replace(
            "http://127.0.0.1:8776", self.service.url)
        word, *words = shlex.split(command)
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            status = self._run(os.path.basename(word), words)
        # cinder tells of some refusals with status 0.
        wrong = status or " failed" in said.getvalue()
        return f"{command}: status {status}: {said.getvalue()}" if wrong else None

    def _run(self, word, words):
        if word == "export":
            for name, _, value in (one.partition("=") for one in words):
                self.monkeypatch.setenv(name, value)
            return 0
        if word == "cinder-lite-manage":
            return manage.main([*words, "--config-file", self.service.config_file])
        if word in ("cinder", "cinder-lite"):
            return Shell().main(words)
        done = subprocess.run([os.path.join(os.path.dirname(sys.executable), word), *words], capture_output=True,
                              text=True)
        return done.returncode

    def turn(self, on):
        if on is not self.running:
            self.service.start() if on else self.service.stop()
            self.running = on


@pytest.fixture
def person(tmp_path, monkeypatch):
    sections = {name: SECTION.format(name=name, calls=calls) for name, calls in (("lvm-1", "fast"), ("rbd-1", "large"))}
    service = Service(backends=tuple(sections), sections=sections, target=False, host="stor1")
    for name in [name for name in os.environ if name.startswith("OS_")]:
        monkeypatch.delenv(name)
    with service:
        person = Person(service, str(tmp_path), monkeypatch)
        yield person
        person.turn(True)


@pytest.mark.parametrize("page", TYPED)
def test_the_commands_of_a_page_run(person, page):
    typed = [command for command in commands(page) if "db sync" in command or not begins(command)]
    assert typed
    for command in typed:
        wrong = person.types(page, command)
        assert wrong is None, wrong


@pytest.mark.parametrize("page", sorted(set(pages()) - set(TYPED) - OWN))
def test_other_commands_are_run_by_another_test(page):
    for command in commands(page):
        test = begins(command)
        assert test, f"{page}: nothing runs: {command}"
        assert test[1] in (TOP / test[0]).read_text()


@pytest.mark.parametrize("page", pages())
def test_settings_exist(tmp_path, page):
    known = unread.known(configuration.load([], files=[os.devnull]))
    of_backends = {option.dest for option in (*configuration.BACKEND, *configuration.driver_options())}
    for number, block in enumerate(block for block in blocks(page) if block.is_settings):
        file = tmp_path / f"{number}.conf"
        file.write_text("\n".join(block.lines))
        for section, option in unread.written(configuration.load([], files=[str(file)])):
            names = known.get(section, of_backends)
            assert section.startswith(unread.OTHERS) or option in names, f"{page}: [{section}] {option}"
