"""Operations without a scheduling decision claim the same pool capacity as a decision would."""

import pytest
import sqlalchemy as sa

from cinder_lite import context, errors, states
from cinder_lite.db import new_volumes, schema, types
from cinder_lite.jobs import pool_claims
from cinder_lite.volume.verbs.groups import Groups
from tests.functional.installation import POOL, PROJECT

THICK, THIN = {"provisioning:type": "thick"}, {}
P = schema.pools
ADMIN = context.Context(user_id="ann", project_id=PROJECT, is_admin=True, overwrite=False)


@pytest.fixture
def pool(here):
    """100 GiB, of which 50 are free, for thin volumes and thick ones."""
    with here.db.write() as tx:
        tx.execute(sa.update(P).values(total_gb=100, free_gb=50, thin=True, thick=True))
    return here


def taken(here):
    row = here.rows("pools", name=POOL)[0]
    return row.free_gb, row.allocated_gb, row.volume_count


def take(here, size, count, specs):
    with here.db.write() as tx:
        pool_claims.take(tx, here.conf, POOL, size, count, specs)


def test_thick_volumes_claim_free_capacity(pool):
    with pytest.raises(errors.NoCapacity):
        take(pool, 80, 20, THICK)
    take(pool, 40, 10, THICK)
    assert taken(pool) == (10, 40, 10)
    with pytest.raises(errors.NoCapacity):
        take(pool, 11, 1, THICK)


def test_thin_volumes_claim_provisioned_capacity(pool):
    take(pool, 80, 20, THIN)
    assert taken(pool) == (50, 80, 20)


def a_group(here, specs):
    type_ = here.add("volume_types", name="of the group", extra_specs=specs)
    group_type = here.add("group_types", name="g", group_specs={})
    group = here.add("volume_groups", project_id=PROJECT, user_id="ann", status=states.AVAILABLE, host=POOL,
                     group_type_id=group_type, volume_types={"ids": [type_]})
    for _ in range(2):
        here.add("volumes", size=40, volume_type_id=type_, group_id=group)
    return type_, group


class VolumeClient:
    """A client of volume services that receive nothing."""

    def on(self, _host):
        return self

    def run_job(self, _ctx, job_id):
        assert job_id


@pytest.mark.parametrize(("specs", "fits"), [(THIN, True), (THICK, False)])
def test_copies_of_a_group_take_it_by_their_type(pool, specs, fits):
    _, group = a_group(pool, specs)
    verbs = Groups(pool.db, pool.conf, None, VolumeClient())
    if fits:
        verbs.create_from(ADMIN, None, None, source_group_id=group)
        assert taken(pool) == (50, 80, 2)
    else:
        with pytest.raises(errors.NoCapacity):
            verbs.create_from(ADMIN, None, None, source_group_id=group)
        assert taken(pool) == (50, 0, 0)


def test_a_type_that_a_group_takes_stays(pool):
    type_, group = a_group(pool, THIN)
    for row in pool.rows("volumes", group_id=group):
        pool.delete("volumes", row.id)
    with pool.db.write() as tx, pytest.raises(errors.BadRequest, match="groups take"):
        types.delete(tx, type_)
    pool.delete("volume_groups", group)
    with pool.db.write() as tx:
        types.delete(tx, type_)
    with pool.db.write() as tx, pytest.raises(errors.TypeNotFound):
        types.lock_shared(tx, type_)


def test_a_type_whose_specs_are_null_or_no_numbers_limits_nothing(pool):
    """Rows of before, or of a Cinder."""
    specs = {"multiattach": None, "provisioning:min_vol_size": None, "provisioning:max_vol_size": "large"}
    type_ = pool.add("volume_types", name="odd", extra_specs=specs)
    with pool.db.read() as tx:
        row = types.find(tx, type_)
    assert new_volumes.is_multiattach(row) is False
    new_volumes.check_size(row, 5)


