"""Whoever lost a job writes nothing more: a service is stopped within a job until another one has done the job and its
user has changed the data, and goes on then.

Both services are processes of one name on one database and the same directories of volumes and backups, as if on two
hosts that share a file system. The one that goes on finds each write that it was about to make still to be made.
"""

import contextlib
import hashlib
import os
import random
import signal
import sqlite3
import sys

import pytest

from tests.functional.client import Client
from tests.images.images_service import Glance
from tests.images.tap import Tap
from tests.meta.source import TOP
from tests.services.processes import Directory, Process, free_port, listens, until

MIB = 1024**2
#: A volume's data are UNITS of UNIT; how much of them has been written when the service is stopped; what its user
#: writes, and where.
UNIT, UNITS = random.Random(7).randbytes(16 * MIB), 24
BEGUN, MARK, EVERY = 48 * MIB, b"changed by its user" * 4, MIB // 2
BACKENDS = "file-1", "file-2"
CONFIGURATION = """
[DEFAULT]
host = one
state_path = {state}
osapi_volume_listen = 127.0.0.1
osapi_volume_listen_port = {port}
enabled_backends = {backends}
backup_posix_path = {shared}/backups
backup_file_size = 4194304
backup_threads = 6
report_interval = 1
service_down_time = {down}
job_lease = {lease}
job_sweep_interval = 0.5
glance_api_servers = {glance}
glance_num_retries = 4
image_conversion_dir = {state}/conversion
[database]
connection = sqlite:///{shared}/cinder.sqlite
"""
FILES = """
[{name}]
volume_driver = file
file_volume_dir = {shared}/{name}
target_helper = nbd
"""


class Host(Process):
    """All services in one process, whose state is its own; `sections` has its backends, `lease` is in seconds."""

    def __init__(self, shared, name, glance="", sections=None, lease=3):
        self.state = os.path.join(shared, name)
        os.mkdir(self.state)
        self.port, conf = free_port(), os.path.join(self.state, "cinder.conf")
        with open(conf, "w") as file:
            sections = sections or {one: FILES.format(name=one, shared=shared) for one in BACKENDS}
            file.write(CONFIGURATION.format(state=self.state, shared=shared, port=self.port, glance=glance,
                                            lease=lease, down=lease + 1, backends=",".join(sections)))
            file.writelines(sections.values())
        self.client = Client(f"http://127.0.0.1:{self.port}")
        super().__init__(name, [sys.executable, "-m", "cinder_lite.cmd.all", "--config-file", conf],
                         os.path.join(self.state, "log"), {"PYTHONPATH": str(TOP)})

    def begin(self):
        self.start()
        self.wait(lambda: listens(self.port) and self.client("GET", "/os-services")[0] == 200)


class Case:
    """A job under way at the first host; `begun()` whether it has written some data, `user()` what the user does when
    it is done, and `check()` that nothing of it is lost."""

    units = UNITS

    def __init__(self, shared, client, glance):
        self.shared, self.client, self.glance = shared, client, glance
        self.volume = client.made("volumes", size=1)["id"]
        self.prepare()

    @property
    def size(self):
        return self.units * len(UNIT)

    @property
    def marked(self):
        return range(0, self.size, EVERY)

    def digest(self, data=None):
        """The SHA-256 of the volume's data, or of as many bytes of `data`."""
        found = hashlib.sha256()
        for position in range(0, self.size, len(UNIT)):
            found.update(UNIT if data is None else data[position:position + len(UNIT)])
        return found.digest()

    def path(self, id):
        """The file of a volume, on whichever backend it is; the last one if it is on none."""
        paths = [os.path.join(self.shared, backend, f"volume-{id}") for backend in BACKENDS]
        return next(filter(os.path.exists, paths), paths[-1])

    def fill(self, id, unit=UNIT):
        with open(self.path(id), "r+b") as file:
            for _ in range(self.units):
                file.write(unit)

    def written(self, path):
        """Whether the volume has the first part of the data."""
        try:
            with open(path, "rb") as file:
                file.seek(BEGUN)
                return file.read(64) == UNIT[:64]
        except FileNotFoundError:
            return False

    def change(self, path):
        with open(path, "r+b") as file:
            for position in self.marked:
                os.pwrite(file.fileno(), MARK, position)

    def lost(self, path):
        """How many marks are lost."""
        with open(path, "rb") as file:
            return sum(os.pread(file.fileno(), len(MARK), position) != MARK for position in self.marked)

    def done(self, client):
        client.settled("volumes", self.volume)

    def user(self):
        self.change(self.path(self.volume))

    def check(self, _client):
        assert self.lost(self.path(self.volume)) == 0


class Restore(Case):
    def prepare(self):
        self.fill(self.volume)
        self.backup = self.client.made("backups", volume_id=self.volume)["id"]
        self.fill(self.volume, bytes(len(UNIT)))
        self.client("POST", f"/backups/{self.backup}/restore", {"restore": {"volume_id": self.volume}}, expect=202)

    def begun(self):
        return self.written(self.path(self.volume))


class Copy(Case):
    """A clone, whose data is copied where blocks cannot be shared."""

    def prepare(self):
        self.fill(self.volume)
        self.source, self.volume = self.volume, self.client.create("volumes", size=1, source_volid=self.volume)["id"]

    def begun(self):
        parts = [os.path.join(path, name) for path, _, names in os.walk(self.shared) for name in names
                 if f".volume-{self.volume}.part" in os.path.join(path, name)]
        return any(map(self.written, parts))


class Download(Case):
    def prepare(self):
        self.image = self.glance.create(UNIT * self.units)
        self.volume = self.client.create("volumes", size=1, imageRef=self.image)["id"]

    def begun(self):
        return self.written(self.path(self.volume))


class Reimage(Download):
    """The image replaces what the volume has."""

    def prepare(self):
        self.image = self.glance.create(UNIT * self.units)
        self.client("POST", f"/volumes/{self.volume}/action", {"os-reimage": {"image_id": self.image}}, expect=202)


class Migration(Case):
    def prepare(self):
        self.fill(self.volume)
        former, = (name for name in BACKENDS if f"/{name}/" in self.path(self.volume))
        self.new, = set(BACKENDS) - {former}
        self.client("POST", f"/volumes/{self.volume}/action", {"os-migrate_volume": {
            "host": f"one@{self.new}#{self.new}"}}, expect=202)

    def begun(self):
        folder = os.path.join(self.shared, self.new)
        return any(self.written(os.path.join(folder, name)) for name in os.listdir(folder)
                   if name.startswith("volume-"))

    def done(self, client):
        until(lambda: client("GET", f"/volumes/{self.volume}", expect=200)["volume"]["migration_status"] == "success",
              what="the migration")
        assert f"/{self.new}/" in self.path(self.volume)


class Backup(Case):
    """The user changes the volume: its backup must have what the volume had."""

    def prepare(self):
        self.fill(self.volume)
        self.backup = self.client.create("backups", volume_id=self.volume)["id"]

    def begun(self):
        folder = os.path.join(self.shared, "backups")
        return sum(os.path.getsize(os.path.join(path, name)) for path, _, names in os.walk(folder)
                   for name in names if ".incoming" not in path) > BEGUN

    def done(self, client):
        client.settled("backups", self.backup)
        super().done(client)

    def check(self, client):
        assert self.lost(self.path(self.volume)) == 0
        restored = client.made("volumes", size=1, backup_id=self.backup)["id"]
        with open(self.path(restored), "rb") as file:
            assert self.digest(file.read(self.size)) == self.digest()


class Upload(Case):
    """The network of the first host breaks while it is stopped, and Glance accepts the data anew."""

    def prepare(self):
        self.fill(self.volume)
        self.tap = self.glance.tap
        self.tap.close_after(BEGUN)
        self.image = self.client("POST", f"/volumes/{self.volume}/action", {"os-volume_upload_image": {
            "image_name": "uploaded", "disk_format": "raw"}}, expect=202)["os-volume_upload_image"]["image_id"]

    def begun(self):
        return self.tap.closed

    def done(self, client):
        self.tap.cut()
        self.tap.open()
        super().done(client)

    def check(self, _client):
        assert self.digest(self.glance.data(self.image)) == self.digest()
        assert self.lost(self.path(self.volume)) == 0


def stop(host, shared):
    """Stop it when it holds no lock of the database, which on SQLite nobody would take from it."""
    with contextlib.closing(sqlite3.connect(f"{shared}/cinder.sqlite", timeout=0.2, isolation_level=None)) as database:
        while True:
            host.send(signal.SIGSTOP)
            with contextlib.suppress(sqlite3.OperationalError):
                database.execute("BEGIN IMMEDIATE")
                database.execute("ROLLBACK")
                return
            host.send(signal.SIGCONT)


@pytest.fixture(scope="module")
def glance():
    with Glance() as started, Tap(started.port, requests=True) as started.tap:
        yield started


@pytest.fixture
def shared():
    directory = Directory("fencing")
    yield directory.path
    directory.remove()


@pytest.mark.parametrize("case", [Restore, Copy, Download, Reimage, Migration, Backup, Upload])
def test_a_stopped_owner_that_goes_on_writes_nothing(shared, glance, case):
    first, second = (Host(shared, name, url) for name, url in (("first", glance.tap.url), ("second", glance.url)))
    take_over(shared, first, second, lambda: case(shared, first.client, glance))


def take_over(shared, first, second, prepare):
    """Stop the first host within the job of the case that `prepare()` makes, and let it go on after the second one has
    done it. Returns whether the kernel has ended the first one before."""
    try:
        first.begin()
        one = prepare()
        until(one.begun, what="some of the data to be written", every=0.002)
        stop(first, shared)
        second.begin()
        one.done(second.client)
        one.user()
        is_ended = not first.running
        if not is_ended:
            first.send(signal.SIGCONT)
        until(lambda: not first.running, what="the first host to end")
        one.check(second.client)
        return is_ended
    finally:
        for host in (first, second):
            print(f"---- {host.name}\n{host.tail()}")
            host.kill()
