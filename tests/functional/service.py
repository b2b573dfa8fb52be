"""The whole service in this process: SQLite, in-memory messages, file driver, HTTP on a free loopback port."""

import contextlib
import os
import pathlib
import shutil
import signal
import sys
import tempfile
import time

import requests

from cinder_lite import conf
from cinder_lite.api import listener
from cinder_lite.db import migrate
from cinder_lite.service import process
from cinder_lite.service.api import ApiService
from cinder_lite.service.backup import BackupService
from cinder_lite.service.interfaces import INTERFACES
from cinder_lite.service.scheduler import SchedulerService
from cinder_lite.service.volume import VolumeService
from cinder_lite.volume.targets.tgtd import TgtDaemon
from tests.meta.source import TOP
from tests.services.processes import Process, free_port

TEMPLATE = """
[DEFAULT]
state_path = {state}
host = {host}
osapi_volume_listen = 127.0.0.1
osapi_volume_listen_port = {port}
enabled_backends = {backends}
backup_posix_path = {state}/backups
backup_file_size = 1048576
report_interval = 1
{default}
[database]
connection = sqlite:///{state}/cinder.sqlite
{sections}
"""

FILE = """
[file-1]
volume_driver = file
file_volume_dir = {state}/volumes
target_port = {target_port}
tgt_control_port = {control_port}
"""

NULL = """
[null-1]
volume_driver = null
"""


#: The directories of all services of this session, also of removed ones.
DIRECTORIES = []


def left(*directories):
    """The processes whose arguments name one of the directories, by id."""
    found = {}
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            arguments = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if any(directory in argument for directory in directories for argument in arguments):
            found[int(entry.name)] = " ".join(arguments)
    return found


class Service:
    """Start it, talk to `url`, stop it; `state` is its directory. `target` starts a tgtd for exports."""

    def __init__(self, port=None, backends=("file-1",), default="", sections=None, target=True, host="test"):
        self.port, self.backends = port or free_port(), backends
        self.url = f"http://127.0.0.1:{self.port}"
        self.state = tempfile.mkdtemp(prefix="cinder-lite-")
        DIRECTORIES.append(self.state)
        self.target_port = free_port()
        values = {"state": self.state, "target_port": self.target_port, "control_port": self.target_port,
                  "port": self.port}
        known = {"file-1": FILE, "null-1": NULL} | (sections or {})
        text = TEMPLATE.format(backends=",".join(backends), default=default, host=host, sections="\n".join(
            known[name].format(**values) for name in backends), **values)
        self.config_file = os.path.join(self.state, "cinder.conf")
        with open(self.config_file, "w") as out:
            out.write(text)
        self.tgtd = TgtDaemon(f"127.0.0.1:{self.target_port}", self.target_port) if target else None
        self.services = []

    def start(self):
        self.begin()
        until(lambda: all(backend.started for backend in self.volume.backends), "the backends to start")
        return self

    def begin(self):
        """Start all services, and wait for none of them."""
        if self.tgtd is not None:
            self.tgtd.start()
        self.conf = conf.load(argv=["--config-file", self.config_file])
        self.process = process.Process(self.conf, INTERFACES)
        migrate.sync(self.process.db)
        sock = listener.listen(self.conf)
        self.volume = VolumeService(self.process)
        self.services = [self.volume, SchedulerService(self.process), BackupService(self.process),
                         ApiService(self.process, sock)]
        for service in self.services:
            service.start()

    def stop(self):
        for service in reversed(self.services):
            service.stop(10)
        self.process.db.dispose()
        if self.tgtd is not None:
            self.tgtd.stop()

    def remove(self):
        """Remove its directory, and end the processes that export its volumes, which outlive a service."""
        for pid, arguments in left(self.state).items():
            if arguments.startswith("qemu-nbd "):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        until(lambda: not left(self.state), f"the processes of {self.state} to end")
        shutil.rmtree(self.state)

    def __enter__(self):
        return self.start()

    def __exit__(self, *exception):
        self.stop()
        self.remove()


class Apart(Service):
    """The same in a separate process, `main`, for tests of the output of a process."""

    def launch(self, command, env=None):
        """Start cinder-lite-`command`, its output in the file `output`; `answers` returns whether its API responds."""
        argv = [sys.executable, "-m", f"cinder_lite.cmd.{command}", "--config-file", self.config_file]
        output = os.path.join(self.state, "output")
        self.main = Process(f"cinder-lite-{command}", argv, output, {"PYTHONPATH": str(TOP), **(env or {})})
        self.main.start()

    def answers(self):
        try:
            return requests.get(f"{self.url}/healthcheck", timeout=60).ok
        except requests.ConnectionError:
            return False

    def stop(self):
        self.main.kill()
        if self.tgtd is not None:
            self.tgtd.stop()


def until(condition, what, limit=60):
    """Wait until the condition is true and return its value."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"waited {limit} s in vain for {what}")
