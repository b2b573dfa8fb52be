"""What an action claims when it begins is released when it fails: the sums and the further resources are as before."""

import uuid

import pytest
import sqlalchemy as sa

from cinder_lite import context, errors, states
from cinder_lite.db import job_queries, jobs, quotas, retypes, schema, volumes
from cinder_lite.jobs import holds, pool_capacity
from tests.functional.installation import BACKEND, HOST, POOL, PROJECT

FREE = quotas.Allowance({}, {})
OTHER = "here@file-2#file-2"


@pytest.fixture
def there(here):
    """An installation with two pools of 100 GiB."""
    here.add("pools", name=OTHER, service_host="here@file-2")
    with here.db.write() as tx:
        tx.execute(sa.update(schema.pools).values(total_gb=100, free_gb=100, thin=True, thick=False))
    return here


def snapshot_created(tx, here, ctx, volume, _id):
    values = {"id": str(uuid.uuid4()), "project_id": PROJECT, "user_id": "ann", "volume_id": volume, "size": 1,
              "volume_type_id": None, "metadata": {}, "facts": {}}
    return holds.insert(tx, here.conf, ctx, "snapshot", "create", values, allowance=FREE, host=BACKEND)


def extended(tx, here, ctx, volume, _id):
    row = volumes.find(tx, volume)
    return holds.begin(tx, here.conf, ctx, "volume", volume, "extend", row=row, allowance=FREE,
                       job={"host": BACKEND, "args": {"old_size": row.size, "new_size": row.size + 3}})


def retyped(tx, here, ctx, volume, _id):
    row = volumes.find(tx, volume)
    args = {"new_type_id": "fast", "may_move": False, "shares": retypes.shares(tx, here.conf, row)}
    return holds.begin(tx, here.conf, ctx, "volume", volume, "retype", row=row, allowance=FREE, job={"args": args})


def migrated(tx, here, ctx, volume, _id):
    id = holds.begin(tx, here.conf, ctx, "volume", volume, "migrate", job={"args": {"to_host": OTHER}})
    job, row = job_queries.get(tx, id), volumes.find(tx, volume)
    pool = pool_capacity.Pool("here", "file-2", "file-2")
    assert jobs.pass_on(tx, job, "volume", pool.service_host, {}, {**job.args, "to": OTHER})
    assert holds.place(tx, states.ACTIONS["volume"]["migrate"], row, pool, pool_capacity.Bounds(row.size))
    assert volumes.find(tx, volume).migration_status == states.MIGRATING
    return id


def reverted(tx, here, ctx, volume, snapshot):
    return holds.begin(tx, here.conf, ctx, "volume", volume, "revert",
                       job={"host": BACKEND, "args": {"snapshot_id": snapshot}})


def backed_up(tx, here, ctx, volume, _id):
    values = {"id": str(uuid.uuid4()), "project_id": PROJECT, "user_id": "ann", "volume_id": volume, "size": 1,
              "host": HOST, "metadata": {}, "volume_record": {}, "facts": {}}
    return holds.insert(tx, here.conf, ctx, "backup", "create", values, allowance=FREE, host=HOST,
                        args={"volume_id": volume, "snapshot_id": None})


def group_copied(tx, here, ctx, _volume, _id):
    copy = {"id": str(uuid.uuid4()), "project_id": PROJECT, "user_id": "ann", "size": 2, "volume_type_id": None,
            "host": POOL, "metadata": {}, "admin_metadata": {}, "image_metadata": {}, "facts": {}, "export": {}}
    values = {"id": str(uuid.uuid4()), "project_id": PROJECT, "user_id": "ann", "group_type_id": str(uuid.uuid4()),
              "volume_types": {"ids": []}}
    return holds.insert(tx, here.conf, ctx, "group", "create_from", values, allowance=FREE, host=BACKEND,
                        further=holds.Further(rows=[copy, {**copy, "id": str(uuid.uuid4())}]))


def sums(here):
    """(quota in use, what was taken of pools)."""
    used = {(row.resource, row.type_id): row.in_use for row in here.rows("quota_usages") if row.in_use}
    return used, {row.name: (row.provisioned_gb, row.allocated_gb, row.volume_count) for row in here.rows("pools")}


@pytest.mark.parametrize(("begin", "claimed", "kept"), [
    (snapshot_created, {("snapshots", ""): 1, ("gigabytes", ""): 1}, {}),
    (extended, {("gigabytes", ""): 3, POOL: (3, 3, 0)}, {}),
    (retyped, {("volumes", "fast"): 1, ("gigabytes", "fast"): 2, ("snapshots", "fast"): 1}, {}),
    (migrated, {OTHER: (1, 1, 1)}, {}),
    (reverted, {"snapshots": "restoring", "connections": states.ENDING}, {}),
    (backed_up, {("backups", ""): 1, ("backup_gigabytes", ""): 1, "volumes": states.BACKING_UP}, {}),
    # A group counts until it is deleted.
    (group_copied, {("groups", ""): 1, ("volumes", ""): 2, ("gigabytes", ""): 4, POOL: (4, 4, 2)}, {("groups", ""): 1}),
])
def test_what_is_claimed_is_released(there, begin, claimed, kept):
    there.add("volume_types", id="fast", name="fast", is_public=True, extra_specs={})
    volume = there.volume()
    snapshot = there.snapshot(volume)
    connection = there.add("connections", volume_id=volume, backend=BACKEND, state=states.CONNECTED)
    ctx = context.Context(user_id="ann", project_id=PROJECT, overwrite=False)
    used, taken = sums(there)

    with there.db.write() as tx:
        id = begin(tx, there, ctx, volume, snapshot)
    now_used, now_taken = sums(there)
    found = {key: n - used.get(key, 0) for key, n in now_used.items() if n != used.get(key)}
    found |= {name: tuple(a - b for a, b in zip(one, taken[name], strict=True))
              for name, one in now_taken.items() if one != taken[name]}
    rows = {"snapshots": there.row("snapshots", snapshot).status, "volumes": there.row("volumes", volume).status,
            "connections": there.row("connections", connection).state}
    assert found == {key: value for key, value in claimed.items() if key not in rows}
    assert rows.items() >= {key: value for key, value in claimed.items() if key in rows}.items()

    with there.db.write() as tx:
        assert holds.end(tx, there.conf, job_queries.get(tx, id), "it broke")
    assert sums(there) == ({**used, **kept}, taken)
    assert there.row("snapshots", snapshot).status == states.AVAILABLE


def test_quota_is_not_claimed_without_an_allowance(here):
    volume, ctx = here.volume(), context.Context(user_id="ann", project_id=PROJECT, overwrite=False)
    with pytest.raises(ValueError, match="to create a snapshot claims quota"), here.db.write() as tx:
        holds.insert(tx, here.conf, ctx, "snapshot", "create", {
            "id": str(uuid.uuid4()), "project_id": PROJECT, "user_id": "ann", "volume_id": volume, "size": 1,
            "volume_type_id": None, "metadata": {}, "facts": {}}, host=BACKEND)
    assert not here.rows("snapshots") and not here.rows("jobs")


def test_a_refused_member_refuses_the_action(here):
    volume = here.volume()
    here.snapshot(volume, status=states.CREATING)
    ctx = context.Context(user_id="ann", project_id=PROJECT, overwrite=False)
    with pytest.raises(errors.InvalidState, match="its status must be"), here.db.write() as tx:
        holds.begin(tx, here.conf, ctx, "volume", volume, "delete", job={"host": BACKEND, "args": {"cascade": True}})
    assert here.row("volumes", volume).status == states.AVAILABLE and not here.rows("jobs")
