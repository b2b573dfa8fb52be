"""Of two services under one name the second one waits, and one that was taken for down ends when it goes on."""

import datetime
import os
import sys
import types

import pytest

from cinder_lite import conf, context, db, errors
from cinder_lite.db import jobs, schema, services
from cinder_lite.host.host_lock import HostLock
from cinder_lite.service.heartbeat import Heartbeat
from cinder_lite.service.registered import RegisteredService
from tests import databases
from tests.functional.client import Client
from tests.functional.killable import Killable
from tests.functional.service import Service, until
from tests.meta.source import TOP
from tests.services.processes import Process, free_port

BINARY, HOST = "cinder-volume", "one@lvm"


@pytest.fixture
def database(tmp_path):
    with databases.synced(tmp_path) as found:
        yield found


class Machine:
    """A process of the name whose lock is below a directory of its own."""

    def __init__(self, database, directory, conf):
        directory.mkdir(exist_ok=True)
        self.db, self.lock, self.statuses = database, HostLock(str(directory), BINARY, HOST), []
        self.lock.acquire()
        self.heartbeat = Heartbeat(database, conf, BINARY, HOST, "nova", self.lock, dict, None)
        self.heartbeat.end_process = self.statuses.append

    def take(self):
        with self.db.write() as tx:
            return services.take(tx, BINARY, HOST, self.lock.instance, self.lock.id, 60)


@pytest.fixture
def machine(database, tmp_path):
    settings, made = conf.load([], files=[]), []

    def make(name):
        made.append(Machine(database, tmp_path / name, settings))
        return made[-1]

    yield make
    for one in made:
        one.lock.release()


def row(database):
    with database.read() as tx:
        return services.get(tx, BINARY, HOST)


def silent(database, seconds):
    """The last heartbeat was so many seconds ago."""
    with database.write() as tx:
        tx.execute(schema.services.update().values(seen_at=db.now() - datetime.timedelta(seconds=seconds)))


def test_on_another_machine_the_second_waits_until_the_first_is_down(database, machine):
    first, second = machine("first"), machine("second")
    assert first.take()
    first.heartbeat.beat()
    for seconds in (0, 50):
        silent(database, seconds)
        with pytest.raises(errors.NameTaken, match=f"cinder-volume one@lvm is run by another process, on "
                                                   f"{os.uname().nodename}"):
            second.take()
        assert row(database).instance == first.lock.instance
    silent(database, 61)
    # Its jobs are claimed by their leases: nobody has seen it end.
    assert second.take() is False
    second.heartbeat.beat()
    assert row(database).instance == second.lock.instance
    with pytest.raises(errors.NameTaken):
        first.heartbeat.beat()
    assert (first.statuses, second.statuses) == ([1], [])
    assert row(database).instance == second.lock.instance


def test_one_that_has_recorded_its_end_is_followed_at_once(database, machine):
    first, second = machine("first"), machine("second")
    first.take()
    first.heartbeat.beat()
    first.heartbeat.stop()
    assert second.take() is False


def test_a_killed_one_is_followed_at_once_on_its_own_machine(database, machine):
    killed = machine("first")
    killed.take()
    killed.heartbeat.beat()
    killed.lock.release()
    assert machine("first").take()


def test_after_a_boot_the_lock_is_another_one(machine):
    first = machine("first")
    name, boot, file = first.lock.id.split("/")
    assert (name, boot) == (os.uname().nodename, open("/proc/sys/kernel/random/boot_id").read().strip())
    assert file == "{0.st_dev:x}:{0.st_ino:x}".format(os.stat(first.lock.path))
    assert machine("second").lock.id.startswith(f"{name}/{boot}/")


def test_a_service_of_a_former_release_is_followed_as_before(database, machine):
    with database.write() as tx:
        services.beat(tx, BINARY, HOST, "nova", "former")
    assert machine("first").take()


def test_a_removed_row_is_made_again(database, machine):
    first = machine("first")
    first.take()
    first.heartbeat.beat()
    with database.write() as tx:
        services.remove(tx, BINARY, HOST)
    first.heartbeat.beat()
    found = row(database)
    assert (found.instance, found.lock_id, first.statuses) == (first.lock.instance, first.lock.id, [])


@pytest.mark.parametrize(("former", "attempts"), [("ended", 2), ("silent", 1)])
def test_jobs_of_one_that_may_be_up_wait_for_their_leases(database, machine, former, attempts):
    with database.write() as tx:
        id = jobs.add(tx, context.Context(), "volume", "1", "delete", "volume", HOST)
    first = machine("first")
    first.take()
    first.heartbeat.beat()
    with database.each() as tx:
        assert jobs.claim(tx, id, "volume", HOST, first.heartbeat.owner, 3600)[0] is not None
    if former == "ended":
        first.lock.release()
    silent(database, 61)
    second = machine("first" if former == "ended" else "second")
    second.heartbeat.is_successor = second.take()
    RegisteredService.expire_leases(types.SimpleNamespace(
        heartbeat=second.heartbeat, process=types.SimpleNamespace(db=database)), "volume")
    with database.each() as tx:
        jobs.claim(tx, id, "volume", HOST, second.heartbeat.owner, 30)
    with database.read() as tx:
        assert tx.execute(schema.jobs.select()).one().attempt == attempts


class Second(Killable):
    """A further process with the settings of a Killable, except for the port of its API."""

    def __init__(self, first):
        port = free_port()
        with open(first.configured.config_file) as file, open(f"{first.state}/second.conf", "w") as copy:
            copy.write(file.read().replace(f"listen_port = {first.configured.port}", f"listen_port = {port}"))
        self.configured, self.client = first.configured, Client(f"http://127.0.0.1:{port}")
        self.process = Process("second", [sys.executable, "-m", "cinder_lite.cmd.all", "--config-file", copy.name],
                               f"{first.state}/second.log", {"PYTHONPATH": str(TOP)})


def test_of_two_processes_on_a_machine_the_second_waits_and_follows_a_killed_one_at_once():
    settings = "service_down_time = 3600"
    with Killable(Service(backends=("null-1",), target=False, default=settings)) as first:
        second = Second(first)
        try:
            second.process.start()
            until(lambda: "is locked by another process" in second.process.tail(), "the second one to wait")
            first.client.made("volumes", size=1)
            assert "backend test@null-1 is up" not in second.process.tail()
            first.process.kill()
            second.process.wait(second._ready)
            second.client.made("volumes", size=1)
        finally:
            second.process.kill()
