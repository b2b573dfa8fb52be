"""A process with librbd that was stopped while it wrote to an image writes nothing after another one has begun."""

import os
import random
import signal

import pytest

from cinder_lite import concurrency
from cinder_lite.blockio import device
from tests.contract import backends
from tests.contract.backends import MIB, volume
from tests.services.processes import Directory
from tests.storage import ceph as ceph_module
from tests.storage import rbd, test_fencing
from tests.storage.test_fencing import UNIT
from tests.storage.test_rbd_driver import nothing_left
from tests.storage.test_rbd_service import RBD

OLD, NEW, MARK = (random.Random(seed).randbytes(MIB) for seed in (1, 2, 3))
PLACES = range(0, 64 * MIB, 4 * MIB)


def write(where, data):
    with device.target(where) as target:
        for place in PLACES:
            target.write(place, data)
        target.sync()


def held(where):
    with device.source(where) as source:
        return {source.read(place, MIB) for place in PLACES}


@pytest.mark.parametrize("end", ["closed", "killed"])
def test_a_stopped_writer_is_excluded_by_the_next_one(driver, pool, end):
    made, late = volume(), []
    driver.create(made)
    where = driver.content(made)
    # Its own service does not end it for being late.
    patient = {**where["rbd"], "cluster": {**where["rbd"]["cluster"], "timeout": 3600}}
    former = device.target({"rbd": patient})
    former.__enter__()
    former.write(0, OLD)
    former.sync()
    pid = former._target._librbd.pid
    os.kill(pid, signal.SIGSTOP)

    def go_on():
        try:
            for place in PLACES:
                former.write(place, OLD[:64 * 1024])  # the first one waits in the socket
            former.sync()
        except device.ContentError as error:
            late.append(error)

    writing = concurrency.native("threading").Thread(target=go_on)  # it blocks its thread
    writing.start()
    write(where, NEW)
    assert held(where) == {NEW}
    write(where, MARK)  # as the volume's user
    os.kill(pid, signal.SIGCONT)
    if end == "killed":
        os.kill(pid, signal.SIGKILL)
    writing.join()
    former.__exit__(None, None, None)
    assert held(where) == {MARK}
    assert len(late) == 1
    driver.delete(made)
    nothing_left(pool)


def test_an_image_is_deleted_with_what_is_recorded_of_its_writer(driver, pool):
    made = volume()
    driver.create(made)
    target = device.target(driver.content(made))
    target.__enter__()
    os.kill(target._target._librbd.pid, signal.SIGKILL)
    target.__exit__(None, None, None)
    assert "writing/" in pool.run("rados", "--id", "cinder", "-p", "volumes", "listomapkeys", "cinder_lite_journal")
    driver.delete(made)
    nothing_left(pool)


def test_writers_one_after_the_other_exclude_nobody(driver, pool):
    made = volume()
    driver.create(made)
    where = driver.content(made)
    before = pool.command("osd", "blocklist", "ls")
    for data in (OLD, NEW):
        write(where, data)
        assert held(where) == {data}
    assert pool.command("osd", "blocklist", "ls") == before
    driver.delete(made)
    nothing_left(pool)


class Restore(test_fencing.Restore):
    """To an image, which the second host's process with librbd takes from the first one's."""

    units = 12

    def __init__(self, pool, *arguments):
        self.driver = rbd.driver(pool)
        super().__init__(*arguments)

    def where(self):
        return self.driver.content(backends.base.Volume(self.volume, 1))

    def prepare(self):
        with device.target(self.where()) as target:
            for position in range(0, self.size, len(UNIT)):
                target.write(position, UNIT)
        self.backup = self.client.made("backups", volume_id=self.volume)["id"]
        with device.target(self.where()) as target:
            target.zero(0, self.size)
        self.client("POST", f"/backups/{self.backup}/restore", {"restore": {"volume_id": self.volume}}, expect=202)

    def begun(self):
        job, = self.client("GET", f"/jobs?resource_id={self.backup}&action=restore", expect=200)["jobs"]
        return job["progress"] > 0

    def user(self):
        with device.target(self.where()) as target:
            for position in self.marked:
                target.write(position, test_fencing.MARK)

    def check(self, _client):
        with device.source(self.where()) as source:
            assert {source.read(position, len(test_fencing.MARK)) for position in self.marked} == {test_fencing.MARK}
        self.driver.close()


@pytest.fixture
def shared():
    directory = Directory("fencing")
    yield directory.path
    directory.remove()


def test_a_stopped_service_that_goes_on_writes_nothing_to_an_image(pool, shared):
    section = {"rbd-1": RBD.format(ceph=pool, user=ceph_module.USER, patience=60)}
    first, second = (test_fencing.Host(shared, name, sections=section) for name in ("first", "second"))
    test_fencing.take_over(shared, first, second, lambda: Restore(pool, shared, first.client, None))
