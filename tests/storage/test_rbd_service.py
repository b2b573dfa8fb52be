"""A service with an RBD and a file backend: migrations between them, and isolation from failures."""

import os
import random
import signal
import time

import pytest

from cinder_lite import concurrency
from cinder_lite.blockio import device
from cinder_lite.volume.drivers.rbd.supervisor import ATTEMPTS
from tests.contract import backends
from tests.functional.client import Client
from tests.functional.killable import Killable
from tests.functional.service import Service, until
from tests.functional.test_administrators import sound
from tests.functional.test_moves import act, moved
from tests.storage import ceph as ceph_module
from tests.storage import rbd
from tests.storage.test_rbd_driver import listed, nothing_left

DATA = random.Random(5).randbytes(3 * 1024**2)
PLACES = (0, 700 * 1024**2 + 5, 1024**3 - len(DATA))

FILE = """
[file-1]
volume_driver = file
file_volume_dir = {state}/volumes
target_helper = nbd
nbd_unprotected = true
"""
RBD = """
[rbd-1]
volume_driver = cinder.volume.drivers.rbd.RBDDriver
rbd_ceph_conf = {ceph.conf}
rbd_user = {user}
rbd_pool = volumes
rbd_call_timeout = {patience}
"""


def sections(ceph, patience=60):
    return {"file-1": FILE, "rbd-1": RBD.format(ceph=ceph, user=ceph_module.USER, patience=patience)}


def running(ceph, patience=60):
    return Service(backends=("file-1", "rbd-1"), sections=sections(ceph, patience), target=False, default=(
        "job_sweep_interval = 1\nquota_volumes = 1000\nquota_gigabytes = -1\nbackend_stats_polling_interval = 2"))


@pytest.fixture(scope="module")
def service(pool):
    with running(pool) as made:
        yield made


@pytest.fixture
def client(service):
    return with_types(Client(service.url))


def with_types(client):
    """The client of a service that has a type for each backend, and one that fits everywhere."""
    names = {"file-1": {"volume_backend_name": "file-1"}, "rbd-1": {"volume_backend_name": "rbd-1"}, "any": {}}
    known = {one["name"] for one in client("GET", "/types", expect=200)["volume_types"]}
    for name in names.keys() - known:
        client("POST", "/types", {"volume_type": {"name": name, "extra_specs": names[name]}}, expect=200)
    return client


def where(service, pool, volume):
    """Where a volume's bytes are, as `content` takes it."""
    name = f"volume-{volume.get('os-vol-mig-status-attr:name_id') or volume['id']}"
    if "@rbd-1" in volume["os-vol-host-attr:host"]:
        driver = rbd.driver(pool)
        return driver.content(backends.base.Volume(name.removeprefix("volume-"), volume["size"]))
    return {"path": os.path.join(service.state, "volumes", name)}


def show(client, id):
    return client("GET", f"/volumes/{id}", expect=200)["volume"]


def fill(service, pool, volume, data=DATA):
    with device.target(where(service, pool, volume)) as target:
        for place in PLACES:
            target.write(place, data)
        target.sync()


def holds(service, pool, volume, data=DATA):
    """Whether the volume has the data at all places, and hardly anything else."""
    with device.source(where(service, pool, volume)) as source:
        found = [source.read(place, len(data)) == data for place in PLACES]
        occupied = sum(end - begin for begin, end in source.extents(0, 1024**3))
    return found == [True] * len(PLACES) and occupied <= 40 * 1024**2


def test_a_volume_moves_between_files_and_ceph_with_its_data(service, pool, client):
    volume = client.made("volumes", size=1, volume_type="file-1")
    act(client, volume["id"], "os-retype", {"new_type": "any"})
    until(lambda: show(client, volume["id"])["volume_type"] == "any", "the type that fits everywhere")
    volume = client.settled("volumes", volume["id"])
    fill(service, pool, volume)
    for host in ("test@rbd-1#rbd-1", "test@file-1#file-1", "test@rbd-1#rbd-1"):
        act(client, volume["id"], "os-migrate_volume", {"host": host})
        volume = until(lambda: (found := moved(client, volume["id"]))["os-vol-host-attr:host"] == host and found, host)
        assert holds(service, pool, volume)
    client("DELETE", f"/volumes/{volume['id']}", expect=202)
    client.gone("volumes", volume["id"])
    sound(service, client)
    nothing_left(pool)


def test_a_copy_to_ceph_goes_on_where_a_kill_has_cut_it_off(pool):
    default = f"job_sweep_interval = 1\njob_lease = 3\nvolume_copy_bps_limit = {8 * 1024**2}"
    with Killable(Service(backends=("file-1", "rbd-1"), sections=sections(pool), target=False,
                          default=default)) as service:
        client = with_types(service.client)
        id = client.made("volumes", size=1, volume_type="file-1")["id"]
        path = os.path.join(service.state, "volumes", f"volume-{id}")
        with open(path, "r+b") as file:
            for _ in range(50):
                file.write(DATA)
        act(client, id, "os-retype", {"new_type": "rbd-1", "migration_policy": "on-demand"})
        until(lambda: client("GET", f"/jobs?resource_id={id}", expect=200)["jobs"][0]["progress"] >= 7,
              "some of the copy")
        service.process.send(signal.SIGKILL)
        service.process.wait_end()
        # Nobody does this; it shows which bytes are read once more.
        with open(path, "r+b") as file:
            file.write(bytes(len(DATA)))
        service.start()
        with device.source(where(service, pool, moved(client, id))) as source:
            assert [source.read(place, len(DATA)) == DATA for place in range(0, 50 * len(DATA),
                                                                             len(DATA))] == [True] * 50
            assert list(source.extents(52 * len(DATA), 1024**3)) == []
        until(lambda: os.listdir(os.path.dirname(path)) == [], "the former volume to be removed")
        client("DELETE", f"/volumes/{id}", expect=202)
        client.gone("volumes", id)
    nothing_left(pool)


def test_backups_of_volumes_and_snapshots_come_back(service, pool, client):
    volume = client.made("volumes", size=1, volume_type="rbd-1")
    fill(service, pool, volume)
    snapshot = client.made("snapshots", volume_id=volume["id"])
    whole = client.made("backups", volume_id=volume["id"])
    fill(service, pool, volume, DATA[::-1])
    later = client.made("backups", volume_id=volume["id"], incremental=True)
    of_snapshot = client.made("backups", volume_id=volume["id"], snapshot_id=snapshot["id"])
    for backup, data in ((whole, DATA), (later, DATA[::-1]), (of_snapshot, DATA)):
        client("POST", f"/backups/{backup['id']}/restore", {"restore": {"volume_id": volume["id"]}}, expect=202)
        client.settled("backups", backup["id"])
        volume = client.settled("volumes", volume["id"])
        assert holds(service, pool, volume, data)
    new = client.made("volumes", size=1, volume_type="rbd-1", backup_id=whole["id"])
    assert holds(service, pool, new)
    for kind, id in (("backups", of_snapshot["id"]), ("backups", later["id"]), ("backups", whole["id"]),
                     ("snapshots", snapshot["id"]), ("volumes", volume["id"]), ("volumes", new["id"])):
        client("DELETE", f"/{kind}/{id}", expect=202)
        client.gone(kind, id)
    sound(service, client)
    nothing_left(pool)


def test_snapshots_clones_and_reverts_through_the_service(service, pool, client):
    volume = client.made("volumes", size=1, volume_type="rbd-1")
    fill(service, pool, volume)
    snapshot = client.made("snapshots", volume_id=volume["id"])
    fill(service, pool, volume, DATA[::-1])
    clone = client.made("volumes", size=2, source_volid=volume["id"])
    former = client.made("volumes", size=1, snapshot_id=snapshot["id"])
    assert holds(service, pool, clone, DATA[::-1]) and holds(service, pool, former)
    act(client, volume["id"], "revert", {"snapshot_id": snapshot["id"]})
    assert holds(service, pool, client.settled("volumes", volume["id"]))
    act(client, volume["id"], "os-extend", {"new_size": 3})
    assert client.settled("volumes", volume["id"])["size"] == 3
    client("DELETE", f"/volumes/{volume['id']}?cascade=True", expect=202)
    client.gone("volumes", volume["id"])
    assert holds(service, pool, clone, DATA[::-1]) and holds(service, pool, former)
    for one in (clone, former):
        client("DELETE", f"/volumes/{one['id']}", expect=202)
        client.gone("volumes", one["id"])
    sound(service, client)
    until(lambda: listed(pool, "trash", "ls") == [], "the trash to be purged")
    nothing_left(pool)


def test_an_attachment_gets_what_os_brick_needs(service, pool, client):
    volume = client.made("volumes", size=1, volume_type="rbd-1")
    made = client("POST", "/attachments", {"attachment": {
        "volume_uuid": volume["id"], "instance_uuid": volume["id"],
        "connector": {"host": "here", "initiator": "iqn.here", "ip": "127.0.0.1", "platform": "x86_64",
                      "os_type": "linux", "multipath": False, "mountpoint": "/dev/vdb"}}}, expect=200)["attachment"]
    found = made["connection_info"]
    assert found["driver_volume_type"] == "rbd" and found["name"] == f"volumes/volume-{volume['id']}"
    assert found["hosts"] == ["127.0.0.1"] and found["ports"] == [str(pool.port)] and found["auth_username"] == "cinder"
    client("DELETE", f"/attachments/{made['id']}", expect=200)
    client.settled("volumes", volume["id"])
    client("DELETE", f"/volumes/{volume['id']}", expect=202)
    client.gone("volumes", volume["id"])
    nothing_left(pool)


def load(client, kind, until_when):
    """Make, snapshot, clone and delete volumes of a type until a moment; returns how many lives ended well."""
    lives = 0
    while time.monotonic() < until_when or lives == 0:
        volume = client.made("volumes", size=1, volume_type=kind)
        snapshot = client.made("snapshots", volume_id=volume["id"])
        clone = client.made("volumes", size=1, source_volid=volume["id"])
        client("DELETE", f"/snapshots/{snapshot['id']}", expect=202)
        client.gone("snapshots", snapshot["id"])
        for one in (volume, clone):
            client("DELETE", f"/volumes/{one['id']}", expect=202)
            client.gone("volumes", one["id"])
        lives += 1
    return lives


def begun(function, *args):
    """Run a function beside the test; gives a function that waits for what it returns, or raises."""
    ended = []

    def run():
        try:
            ended.append((function(*args), None))
        except BaseException as error:
            ended.append((None, error))

    concurrency.spawn(run)

    def result():
        value, error = until(lambda: ended, "what runs beside the test to end", 120)[0]
        if error is not None:
            raise error
        return value

    return result


def kills(driver, until_when):
    """Kill librbd's process until a moment, but not more often than any call survives, however slow this machine is."""
    killed = [None]
    while len(killed) < ATTEMPTS:
        until(lambda: driver.librbd.pid not in killed or time.monotonic() > until_when, "a process with librbd")
        time.sleep(2)
        if time.monotonic() > until_when:
            break
        killed.append(driver.librbd.pid)
        os.kill(killed[-1], signal.SIGKILL)
    return len(killed) - 1


def test_killed_under_load_nothing_is_stuck_and_files_go_on(service, pool, client):
    driver = next(one for one in service.volume.backends if one.backend.section == "rbd-1").backend.driver
    killed = 0
    for _ in range(3):
        end = time.monotonic() + 15
        loads = [begun(load, Client(service.url), kind, end) for kind in ("rbd-1",) * 3 + ("file-1",) * 2]
        killed += kills(driver, end)
        lives = [result() for result in loads]
        assert all(count > 0 for count in lives), lives
    assert killed > 5
    sound(service, client)
    until(lambda: listed(pool, "trash", "ls") == [], "the trash to be purged")
    nothing_left(pool)
