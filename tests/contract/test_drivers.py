"""The contract of all drivers: each call, its repetition, and the resulting bytes."""

import random
import uuid

import pytest

from cinder_lite.db import ownership
from cinder_lite.volume.drivers import base
from tests.contract import backends
from tests.contract.backends import GIB, MIB, content, snapshot, volume, write

RANDOM = random.Random(7)
ONE, TWO = RANDOM.randbytes(3 * MIB), RANDOM.randbytes(2 * MIB)


def ignore(done, whole):
    """A progress callback that does nothing."""


def filled(driver, size=1):
    """A volume with ONE at its beginning, in its middle and at its end."""
    made = volume(size)
    driver.create(made)
    for position in (0, 300 * MIB + 4096, size * GIB - len(ONE)):
        write(driver.path(made), position, ONE)
    return made


def test_a_working_backend_passes_its_check_and_reports_pools(driver):
    driver.check()
    driver.clean_up()
    for pool in driver.pools():
        assert pool.total_gb == "infinite" or pool.total_gb >= pool.free_gb > 0
        assert pool.provisioned_gb == 0
        assert pool.thin or pool.thick
    assert len({pool.name for pool in driver.pools()}) == len(driver.pools()) > 0


def test_all_hosts_of_a_cluster_find_one_id_in_the_storage(driver):
    if not isinstance(driver, base.Shared):
        assert driver.unshared
        return
    id = driver.join("blue@backend", None)
    assert driver.join("blue@backend", id) == id
    if driver.protocol != "null":
        assert driver.join("blue@backend", None) == id
        for cluster, other in (("blue@backend", str(uuid.uuid4())), ("red@backend", id)):
            with pytest.raises(base.BackendDown, match="is not th.*at? of the cluster|is not the storage of"):
                driver.join(cluster, other)


def test_every_call_may_come_twice(driver):
    source, made, copied = volume(), volume(2), volume()
    taken = snapshot(source)
    for call in (lambda: driver.create(source), lambda: driver.create_snapshot(taken),
                 lambda: driver.from_snapshot(made, taken, ignore), lambda: driver.clone(copied, source, ignore)):
        first, second = call(), call()
        assert isinstance(first, dict) and first == second
        assert driver.exists(source)
    for call in (lambda: driver.extend(source, 3), lambda: driver.revert(source, taken),
                 lambda: driver.delete_snapshot(taken), lambda: driver.delete(source), lambda: driver.delete(made),
                 lambda: driver.delete(copied)):
        call()
        call()
    assert list(driver.names()) == []


def test_shrinking_is_refused(driver):
    made = volume(2)
    driver.create(made)
    with pytest.raises(base.DriverError, match="shrink"):
        driver.extend(made, 1)


def test_a_new_volume_reads_as_zeros(keeper):
    made = volume(3)
    keeper.create(made)
    assert content(keeper.path(made)) == (3 * GIB, {})


def test_a_repeated_create_keeps_the_data(keeper):
    made = filled(keeper)
    before = content(keeper.path(made))
    keeper.create(made)
    assert content(keeper.path(made)) == before


def test_a_snapshot_keeps_the_moment(keeper):
    source, made = filled(keeper), volume()
    taken, before = snapshot(source), content(keeper.path(source))
    keeper.create_snapshot(taken)
    write(keeper.path(source), MIB, TWO)
    keeper.from_snapshot(made, taken, ignore)
    assert content(keeper.path(made)) == before == content(keeper.snapshot_path(taken))
    assert content(keeper.path(source)) != before


def test_a_repeated_snapshot_keeps_the_first_moment(keeper):
    source = filled(keeper)
    taken, before = snapshot(source), content(keeper.path(source))
    keeper.create_snapshot(taken)
    write(keeper.path(source), MIB, TWO)
    keeper.create_snapshot(taken)
    assert content(keeper.snapshot_path(taken)) == before


def test_a_clone_is_equal_and_independent(keeper):
    source, made = filled(keeper), volume()
    before = content(keeper.path(source))
    keeper.clone(made, source, ignore)
    assert content(keeper.path(made)) == before
    write(keeper.path(made), 0, TWO)
    assert content(keeper.path(source)) == before
    changed = content(keeper.path(made))
    write(keeper.path(source), 0, TWO[::-1])
    assert content(keeper.path(made)) == changed
    keeper.delete(source)
    assert content(keeper.path(made)) == changed


def test_copies_have_their_own_size_when_the_source_was_extended_meanwhile(keeper):
    source, cloned, restored = filled(keeper), volume(), volume()
    taken, before = snapshot(source), content(keeper.path(source))
    keeper.extend(source, 2)
    keeper.create_snapshot(taken)
    keeper.clone(cloned, source, ignore)
    keeper.from_snapshot(restored, taken, ignore)
    assert content(keeper.path(cloned)) == content(keeper.path(restored)) == before


def test_copies_may_be_larger_than_their_source(keeper):
    source, cloned, restored = filled(keeper), volume(2), volume(3)
    taken, blocks = snapshot(source), content(keeper.path(source))[1]
    keeper.create_snapshot(taken)
    keeper.clone(cloned, source, ignore)
    keeper.from_snapshot(restored, taken, ignore)
    assert content(keeper.path(cloned)) == (2 * GIB, blocks)
    assert content(keeper.path(restored)) == (3 * GIB, blocks)


def test_progress_rises_to_the_total(keeper):
    source = filled(keeper)
    progress, seen = backends.following()
    keeper.clone(volume(), source, progress)
    assert seen == sorted(seen)
    assert seen[-1][0] == seen[-1][1] > 0


def test_a_copy_of_nothing_is_refused_and_leaves_nothing(keeper):
    gone, made = volume(), volume()
    with pytest.raises(base.DriverError, match=gone.id):
        keeper.clone(made, gone, ignore)
    with pytest.raises(base.DriverError, match=made.id):
        keeper.extend(made, 2)
    with pytest.raises(base.DriverError, match=gone.id):
        keeper.create_snapshot(snapshot(gone))
    assert list(keeper.names()) == [] and not keeper.exists(made)


def test_extending_adds_zeros_also_while_the_volume_is_open(keeper):
    made = filled(keeper)
    blocks = content(keeper.path(made))[1]
    with backends.open_size(keeper.path(made)) as size:
        keeper.extend(made, 4)
        assert size() == 4 * GIB
    assert content(keeper.path(made)) == (4 * GIB, blocks)


def test_reverting_brings_the_content_back_and_keeps_the_size(keeper):
    made = filled(keeper)
    taken, blocks = snapshot(made), content(keeper.path(made))[1]
    keeper.create_snapshot(taken)
    keeper.extend(made, 2)
    write(keeper.path(made), 100 * MIB, TWO)
    write(keeper.path(made), 2 * GIB - len(TWO), TWO)
    keeper.revert(made, taken)
    assert content(keeper.path(made)) == (2 * GIB, blocks)
    write(keeper.path(made), 0, TWO)
    assert content(keeper.snapshot_path(taken))[1] == blocks


def test_names_lists_all_objects(keeper):
    one, two = filled(keeper), volume(2)
    taken = snapshot(one)
    keeper.create_snapshot(taken)
    keeper.clone(two, one, ignore)
    assert sorted(keeper.names()) == sorted([(one.name, GIB), (two.name, 2 * GIB), (taken.name, GIB)])
    assert keeper.exists(one) and keeper.exists(two)
    keeper.delete_snapshot(taken)
    keeper.delete(one)
    assert list(keeper.names()) == [(two.name, 2 * GIB)]
    assert not keeper.exists(one)


def test_provisioned_capacity_is_reported(keeper):
    one, two = volume(3), volume(4)
    keeper.create(one)
    keeper.create(two)
    (pool,) = keeper.pools()
    assert pool.provisioned_gb == pytest.approx(7)
    keeper.create_snapshot(snapshot(one))
    assert keeper.pools()[0].provisioned_gb == pytest.approx(7, abs=0.1)
    keeper.extend(one, 5)
    keeper.delete(two)
    assert keeper.pools()[0].provisioned_gb == pytest.approx(5, abs=0.1)


def test_managing_never_replaces_an_existing_object(keeper):
    mine, theirs = filled(keeper), volume(2)
    keeper.create(theirs)
    before = content(keeper.path(mine))
    with pytest.raises(base.DriverError, match=mine.id):
        keeper.manage(mine, {"source-name": theirs.name})
    assert content(keeper.path(mine)) == before
    assert sorted(keeper.names()) == sorted([(mine.name, GIB), (theirs.name, 2 * GIB)])


def test_objects_of_the_service_are_recognized_by_name(keeper):
    """Objects with a row are not manageable, whatever their kind."""
    source, cloned, restored = filled(keeper), volume(), volume()
    taken = snapshot(source)
    keeper.create_snapshot(taken)
    keeper.clone(cloned, source, ignore)
    keeper.from_snapshot(restored, taken, ignore)
    found = [ownership.name_of(one.reference) for one in (*keeper.existing_volumes(), *keeper.existing_snapshots())]
    assert {ownership.id_in(name) for name in found} == {source.id, cloned.id, restored.id, taken.id}


def test_concurrent_managing_of_one_object_succeeds_once(keeper):
    theirs, first, second = filled(keeper), volume(), volume()
    before = content(keeper.path(theirs))
    reference = {"source-name": theirs.name}
    keeper.inspect(reference)
    keeper.manage(first, reference)
    with pytest.raises(base.DriverError, match=theirs.id):
        keeper.manage(second, reference)
    assert content(keeper.path(first)) == before
    assert list(keeper.names()) == [(first.name, GIB)]
