"""Details of the RBD driver: chains of clones, trash, quotas, managing, concurrent clients."""

import json
import os
import random
import subprocess
import sys

import pytest

from cinder_lite.blockio import device
from cinder_lite.volume.drivers import base
from tests.contract import backends
from tests.contract.backends import GIB, snapshot, volume
from tests.services.processes import until
from tests.storage import ceph as ceph_module
from tests.storage import rbd

DATA = random.Random(11).randbytes(3 * 1024**2)
PLACE = 5 * 1024**2 + 512

BRICK = """
import json, sys
from os_brick.initiator.connectors.rbd import RBDConnector
connection, place, size, into = json.loads(sys.stdin.read())
connector = RBDConnector(None)
device = connector.connect_volume(connection)
handle = device["path"]
assert connector.check_valid_device(handle)
handle.seek(place)
with open(into, "wb") as out:
    out.write(handle.read(size))
handle.seek(place)
handle.write(b"brick" * 1000)
handle.flush()
connector.disconnect_volume(connection, device)
print(connector.extend_volume(connection))
"""


def ignore(done, whole):
    """Progress that nobody follows."""


@pytest.fixture
def made(pool):
    """A function that makes drivers with options; they are closed, and nothing may be left on the pool."""
    drivers = []

    def make(**values):
        drivers.append(rbd.driver(pool, **values))
        return drivers[-1]

    yield make
    for driver in drivers:
        driver.close()


@pytest.fixture
def driver(made):
    return made()


def filled(driver, size=1):
    new = volume(size)
    driver.create(new)
    backends.write(driver.path(new), PLACE, DATA)
    return new


def listed(pool, *words):
    return json.loads(pool.rbd(*words, "--format", "json"))


def nothing_left(pool, objects=True):
    """No image, no trash, no entry in the journal, and no object beside what every pool has."""
    assert listed(pool, "ls") == [] and listed(pool, "trash", "ls", "--all") == []
    usual = {"rbd_directory", "rbd_info", "rbd_trash", "rbd_children", "cinder_lite_journal"}
    until(lambda: not objects or set(pool.run("rados", "-p", "volumes", "ls").split()) <= usual,
          what="the objects of snapshots to be trimmed")
    assert pool.run("rados", "--id", ceph_module.USER, "-p", "volumes", "listomapkeys", "cinder_lite_journal") == ""


def begin(driver, pool, made, **values):
    """Write down that the making of a volume has begun."""
    pool.run("rados", "-p", "volumes", "setomapval", "cinder_lite_journal", f"making/{made.name}", json.dumps(
        {"owner": driver.cluster.owner, **values}))


def purged(driver, pool):
    """Wait until the trash is empty."""
    def empty():
        driver.run_maintenance()
        return listed(pool, "trash", "ls", "--all") == []

    until(empty, what="the trash to be purged")


def parent(pool, of):
    return listed(pool, "info", of.name).get("parent", {}).get("image")


def test_a_parent_goes_at_once_and_its_room_with_the_last_child(driver, pool):
    source = filled(driver)
    taken = snapshot(source)
    driver.create_snapshot(taken)
    children = [volume(), volume()]
    driver.from_snapshot(children[0], taken, ignore)
    driver.clone(children[1], source, ignore)
    before = backends.content(driver.path(source))
    driver.delete_snapshot(taken)
    driver.delete(source)
    assert sorted(listed(pool, "ls")) == sorted(child.name for child in children)
    assert [backends.content(driver.path(child)) for child in children] == [before, before]
    driver.delete(children[0])
    assert len(listed(pool, "trash", "ls")) == 1
    driver.delete(children[1])
    nothing_left(pool)


def test_generations_go_in_any_order(driver, pool):
    generations = [filled(driver)]
    for _ in range(3):
        generations.append(volume())
        driver.clone(generations[-1], generations[-2], ignore)
    before = backends.content(driver.path(generations[0]))
    for one in (generations[1], generations[0], generations[2]):
        driver.delete(one)
        assert backends.content(driver.path(generations[3])) == before
    driver.delete(generations[3])
    nothing_left(pool)


def test_what_somebody_else_put_into_the_trash_stays_there(driver, pool):
    pool.rbd("create", "volume-of-others", "--size", "1G")
    pool.rbd("trash", "mv", "volume-of-others")
    source, child = filled(driver), volume()
    driver.clone(child, source, ignore)
    driver.delete(source)
    driver.delete(child)
    driver.run_maintenance()
    (left,) = listed(pool, "trash", "ls")
    assert left["name"] == "volume-of-others"
    pool.rbd("trash", "rm", left["id"])


def test_a_volume_taken_out_of_the_trash_is_kept(driver, pool):
    source, child = filled(driver), volume()
    driver.clone(child, source, ignore)
    driver.delete(source)
    pool.rbd("trash", "restore", listed(pool, "trash", "ls")[0]["id"])
    driver.delete(child)
    driver.run_maintenance()
    assert driver.exists(source)
    driver.delete(source)
    nothing_left(pool)


def test_the_generations_that_depend_on_each_other_are_limited(made, pool):
    driver = made(rbd_max_clone_depth=2)
    generations = [filled(driver)]
    for _ in range(4):
        generations.append(volume())
        driver.clone(generations[-1], generations[-2], ignore)
    before = backends.content(driver.path(generations[0]))
    driver.run_maintenance()
    until(lambda: parent(pool, generations[3]) is None, what="the third clone to be independent")
    until(lambda: parent(pool, generations[4]) is None, what="the fourth clone to be independent")
    assert parent(pool, generations[2]) == generations[1].name
    for one in generations[:4]:
        driver.delete(one)
    assert backends.content(driver.path(generations[4])) == before
    driver.delete(generations[4])
    nothing_left(pool)


def test_volumes_from_snapshots_become_independent_where_that_is_asked_for(made, pool):
    driver = made(rbd_flatten_volume_from_snapshot=True)
    source, child = filled(driver), volume()
    taken = snapshot(source)
    driver.create_snapshot(taken)
    driver.from_snapshot(child, taken, ignore)
    driver.run_maintenance()
    until(lambda: parent(pool, child) is None, what="the clone to be independent")
    for one in (source, child):
        driver.delete(one)
    driver.delete_snapshot(taken)
    nothing_left(pool)


def test_deferred_deletion_keeps_a_volume_for_its_time(made, pool):
    waiting = made(enable_deferred_deletion=True, deferred_deletion_delay=3600, deferred_deletion_purge_interval=0)
    source, child = filled(waiting), volume()
    waiting.clone(child, source, ignore)
    waiting.delete(source)
    assert list(waiting.names()) == [(child.name, GIB)]
    waiting.run_maintenance()
    (kept,) = listed(pool, "trash", "ls")
    assert kept["name"] == source.name
    waiting.delete(child)
    assert len(listed(pool, "trash", "ls")) == 2
    for one in listed(pool, "trash", "ls"):
        pool.rbd("trash", "restore", one["id"])
    for one in (source, child):
        made(enable_deferred_deletion=True, deferred_deletion_purge_interval=0).delete(one)
    purged(waiting, pool)
    nothing_left(pool)


def test_what_was_cut_off_is_begun_again_or_removed(driver, pool):
    source, made = filled(driver), volume()
    before = backends.content(driver.path(source))
    for again in (lambda: driver.clone(made, source, ignore), driver.clean_up, lambda: driver.delete(made)):
        pool.rbd("snap", "create", f"{source.name}@{made.name}.clone_snap")
        pool.rbd("create", f"{made.name}.part", "--size", "2G")
        begin(driver, pool, made, source=source.name)
        assert made.name not in dict(driver.names())
        again()
        assert f"{made.name}.part" not in listed(pool, "ls") and listed(pool, "snap", "ls", source.name) == []
        if driver.exists(made):
            assert backends.content(driver.path(made)) == before
            driver.delete(made)
    driver.delete(source)
    nothing_left(pool)


def test_a_rename_that_was_cut_off_is_put_right(driver, pool):
    """The new name's object is written, the directory changed, the old name's object removed: cut off between these."""
    for listed_as in ("", ".part"):
        made = volume()
        pool.rbd("create", f"{made.name}{listed_as}", "--size", "1G")
        there, missing = (f"rbd_id.{made.name}{suffix}" for suffix in (listed_as, "" if listed_as else ".part"))
        for name in (there, missing):
            path = os.path.join(pool.path, "id")
            pool.run("rados", "-p", "volumes", "get", there, path)
            pool.run("rados", "-p", "volumes", "put", name, path)
        begin(driver, pool, made)
        driver.create(made)
        assert listed(pool, "ls") == [made.name] and backends.content(driver.path(made)) == (GIB, {})
        driver.delete(made)
        nothing_left(pool)


def test_a_snapshot_that_was_cut_off_is_taken_again(driver, pool):
    source, made = filled(driver), volume()
    before = backends.content(driver.path(source))
    for name, again in ((f"{made.name}.clone_snap", lambda: driver.clone(made, source, ignore)),
                        ("snapshot-1", lambda: driver.create_snapshot(base.Snapshot("1", 1, source)))):
        pool.rbd("snap", "create", f"{source.name}@{name}")
        begin(driver, pool, made, source=source.name)
        (taken,) = (one["id"] for one in listed(pool, "snap", "ls", source.name))
        object_map = f"rbd_object_map.{listed(pool, 'info', source.name)['id']}.{taken:016x}"
        pool.run("rados", "-p", "volumes", "rm", object_map)
        again()
    driver.delete(made)
    driver.from_snapshot(made, base.Snapshot("1", 1, source), ignore)
    assert backends.content(driver.path(made)) == before
    driver.delete_snapshot(base.Snapshot("1", 1, source))
    for one in (source, made):
        driver.delete(one)
    nothing_left(pool)


def test_a_parent_goes_although_its_last_child_was_not_signed_off(driver, pool):
    """librbd was killed after it had taken the child off the parent's list, before it removed the parent's snapshot."""
    source, child = filled(driver), volume()
    driver.clone(child, source, ignore)
    driver.delete(source)
    id, of_child = listed(pool, "trash", "ls")[0]["id"], listed(pool, "info", child.name)["id"]
    rbd.detach(pool, id, of_child)
    driver.delete(child)
    purged(driver, pool)
    assert of_child not in pool.run("rados", "-p", "volumes", "ls")
    nothing_left(pool)


def test_a_volume_goes_from_the_trash_that_was_cut_off_from_its_parent(driver, pool):
    """librbd was killed after it had signed the volume off, before it removed it: it cannot be opened any more."""
    source, child, grandchild = filled(driver), volume(), volume()
    driver.clone(child, source, ignore)
    driver.clone(grandchild, child, ignore)
    driver.delete(child)
    pool.rbd("rm", "--no-progress", grandchild.name)
    (kept,) = listed(pool, "trash", "ls")
    rbd.detach(pool, listed(pool, "info", source.name)["id"], kept["id"], "and-remove")
    purged(driver, pool)
    driver.delete(source)
    nothing_left(pool)


def test_a_volume_goes_that_was_cut_off_on_its_way_to_the_trash(driver, pool):
    """librbd was killed after it had taken the name away: to it, the volume is still on its way, and what is not
    goes too."""
    sources, children = [filled(driver), filled(driver)], [volume(), volume()]
    for source, child in zip(sources, children, strict=True):
        driver.clone(child, source, ignore)
        driver.delete(source)
    first = min(one["id"] for one in listed(pool, "trash", "ls"))
    rbd.half_moved(pool, first)
    for child in children:
        driver.delete(child)
    purged(driver, pool)
    nothing_left(pool)


def test_images_of_others_are_listed_and_taken_over(driver, pool):
    pool.rbd("create", "legacy", "--size", "1500M")
    pool.rbd("snap", "create", "legacy@monday")
    own = filled(driver)
    found = {one.reference["source-name"]: one for one in driver.existing_volumes()}
    assert found["legacy"].size == 1500 * 1024**2 and found["legacy"].reason is None and own.name in found
    (taken,) = driver.existing_snapshots()
    assert (taken.reference, taken.source) == ({"source-name": "monday"}, {"source-name": "legacy"})
    reference, managed = {"source-name": "legacy"}, volume(2)
    assert driver.inspect(reference).size == 1500 * 1024**2
    for _ in range(2):
        driver.manage(managed, reference)
    kept = snapshot(managed)
    assert driver.inspect({"source-name": "monday"}, managed).size == 1500 * 1024**2
    for _ in range(2):
        driver.manage_snapshot(kept, {"source-name": "monday"})
    assert sorted(dict(driver.names())) == sorted([managed.name, kept.name, own.name])
    for wrong, says in (({"source-name": "nothing"}, "nothing"), ({"source-id": "1"}, "source-name")):
        with pytest.raises(base.DriverError, match=says):
            driver.inspect(wrong)
        with pytest.raises(base.DriverError, match=says):
            driver.manage(volume(), wrong)
        with pytest.raises(base.DriverError, match=says):
            driver.manage_snapshot(snapshot(managed), wrong)
    driver.delete_snapshot(kept)
    for one in (managed, own):
        driver.delete(one)
    nothing_left(pool)


def test_clones_of_the_old_format_become_independent_and_those_of_other_pools_are_named(driver, pool):
    source = filled(driver)
    taken, clone = snapshot(source), volume()
    driver.create_snapshot(taken)
    pool.rbd("snap", "protect", f"{source.name}@{taken.name}")
    for place in (f"volumes/{clone.name}", "images/old-clone"):
        pool.rbd("clone", "--rbd-default-clone-format", "1", f"{source.name}@{taken.name}", place)
    with pytest.raises(base.InUse, match="images/old-clone"):
        driver.delete_snapshot(taken)
    pool.rbd("rm", "images/old-clone")
    driver.delete_snapshot(taken)
    assert parent(pool, clone) is None
    assert backends.content(driver.path(clone)) == backends.content(driver.path(source))
    driver.delete(source)
    driver.delete(clone)
    nothing_left(pool)


def test_an_image_of_the_same_ceph_is_cloned_where_it_lies(driver, pool, tmp_path):
    raw = tmp_path / "raw"
    raw.write_bytes(bytes(PLACE) + DATA)
    pool.run("rbd", "import", str(raw), "images/an-image")
    pool.run("rbd", "snap", "create", "images/an-image@snap")
    made = volume(2)
    location = f"rbd://{pool.fsid}/images/an%2Dimage/snap"
    for wrong in (f"rbd://{pool.fsid}/images/an-image/other", f"rbd://{pool.fsid}/nowhere/an-image/snap",
                  f"rbd://{pool.fsid}/images/nothing/snap", location.replace(pool.fsid, "another"), "rbd://an-image",
                  "file:///images/an-image", "http://127.0.0.1/image"):
        assert driver.clone_image(made, wrong) is None and not driver.exists(made)
    for _ in range(2):
        assert driver.clone_image(made, location) == {}
    with device.source(driver.content(made)) as source:
        assert source.read(PLACE, len(DATA)) == DATA
    assert backends.content(driver.path(made))[0] == 2 * GIB
    assert listed(pool, "info", made.name)["parent"]["pool"] == "images"
    driver.delete(made)
    nothing_left(pool)
    pool.run("rbd", "snap", "rm", "images/an-image@snap")
    pool.run("rbd", "rm", "images/an-image")


def test_a_parent_of_clones_that_cinder_made_goes_with_the_last_of_them(driver, pool):
    source, child = filled(driver), volume()
    taken = f"{source.name}@{child.name}.clone_snap"
    pool.rbd("snap", "create", taken)
    pool.rbd("snap", "protect", taken)
    pool.rbd("clone", "--rbd-default-clone-format", "1", taken, f"volumes/{child.name}")
    before = backends.content(driver.path(source))
    driver.delete(source)
    assert backends.content(driver.path(child)) == before and listed(pool, "ls") == [child.name]
    driver.delete(child)
    nothing_left(pool)


def test_a_volume_goes_with_the_snapshots_that_cinder_took_for_its_backups(driver, pool):
    one = volume()
    driver.create(one)
    pool.rbd("snap", "create", f"{one.name}@backup.{volume().id}.snap.1700000000.25")
    driver.delete(one)
    nothing_left(pool)


def test_figures_are_those_of_ceph(made, pool):
    driver = made(report_dynamic_total_capacity=False)
    one = filled(driver, 3)
    (mine,) = (row for row in json.loads(pool.command("df", "--format", "json"))["pools"] if row["name"] == "volumes")
    (stats,) = driver.pools()
    assert stats.free_gb == pytest.approx(mine["stats"]["max_avail"] / GIB, abs=0.2)
    assert stats.total_gb == pytest.approx(ceph_module.DISK / GIB, abs=0.2) and stats.provisioned_gb == 3
    pool.command("osd", "pool", "set-quota", "volumes", "max_bytes", str(2 * GIB))
    (stats,) = driver.pools()
    assert stats.total_gb == 2 and stats.free_gb == pytest.approx(2, abs=0.1)
    (stats,) = made().pools()
    assert stats.total_gb == pytest.approx(2, abs=0.1)
    pool.command("osd", "pool", "set-quota", "volumes", "max_bytes", "0")
    pool.rbd("create", "of-others", "--size", "2G")
    assert driver.pools()[0].provisioned_gb == 3
    assert made(rbd_exclusive_cinder_pool=False).pools()[0].provisioned_gb == 5
    pool.rbd("rm", "of-others")
    driver.delete(one)


@pytest.mark.parametrize(("values", "says"), [
    ({"rbd_pool": "nowhere"}, "no pool nowhere"), ({"rbd_ceph_conf": "/nowhere/ceph.conf"}, "cannot be read"),
    ({"rbd_user": "stranger"}, "client.stranger"), ({"rbd_store_chunk_size": 3}, "power of two")])
def test_a_wrong_setting_is_named(made, values, says):
    with pytest.raises(base.BackendDown, match=says):
        made(**values).check()


def test_objects_have_the_size_that_is_asked_for(made, pool):
    driver = made(rbd_store_chunk_size=8)
    one = volume()
    driver.create(one)
    assert listed(pool, "info", one.name)["object_size"] == 8 * 1024**2
    driver.delete(one)


def test_as_much_as_one_likes_is_zeroed(driver, pool):
    made = filled(driver, 3)
    with device.target(driver.content(made)) as target:
        target.zero(0, 3 * GIB)
    assert backends.content(driver.path(made)) == (3 * GIB, {})
    driver.delete(made)
    nothing_left(pool)


def test_qemu_reads_and_writes_the_same_bytes(driver, pool, tmp_path):
    one, raw = filled(driver), tmp_path / "raw"
    url = f"rbd:volumes/{one.name}:id={ceph_module.USER}:conf={pool.conf}"
    subprocess.run(["qemu-img", "convert", "-O", "raw", url, raw], check=True, timeout=120)
    assert backends.content(raw) == backends.content(driver.path(one))
    backends.write(raw, 700 * 1024**2, DATA)
    subprocess.run(["qemu-img", "convert", "-n", "-f", "raw", "-O", "raw", raw, url], check=True, timeout=120)
    assert backends.content(driver.path(one)) == backends.content(raw)
    driver.delete(one)


def test_os_brick_connects_with_what_it_is_given(driver, pool, tmp_path):
    one = filled(driver)
    connection = driver.connection(one, {"host": "anywhere"})
    assert connection["driver_volume_type"] == "rbd"
    done = subprocess.run([sys.executable, "-c", BRICK], capture_output=True, timeout=120,
                          text=True, env={**os.environ, "PYTHONPATH": rbd.libraries(tmp_path)}, input=json.dumps(
                              [connection["data"], PLACE, len(DATA), str(tmp_path / "read")]))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "read").read_bytes() == DATA
    assert done.stdout.strip() == str(GIB)
    with device.source(driver.content(one)) as source:
        assert source.read(PLACE, 5000) == b"brick" * 1000
    driver.disconnect(one, {"host": "anywhere"})
    driver.delete(one)


def test_the_keyring_is_given_only_where_it_is_wanted(made):
    assert "key = " in made().connection(volume(), {})["data"]["keyring"]
    found = made(rbd_give_keyring=False, rbd_secret_uuid="a-secret").connection(volume(), {})["data"]
    assert "keyring" not in found and found["secret_uuid"] == "a-secret"
    assert made(rbd_cluster_name="other").connection(volume(), {})["data"]["cluster_name"] == "other"
