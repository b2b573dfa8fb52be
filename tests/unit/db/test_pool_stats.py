"""Measured pools: what jobs are about to take or to give back is counted in them."""

import datetime

import pytest
import sqlalchemy as sa

from cinder_lite import states
from cinder_lite.db import pool_stats, pools, schema
from tests import databases

POOL, SINCE = "h@b#p", datetime.datetime(2026, 1, 2)
BEFORE, AFTER = SINCE - datetime.timedelta(seconds=1), SINCE + datetime.timedelta(seconds=1)
MEASURED = {"total_gb": 100.0, "total_word": None, "free_gb": 90.0, "free_word": None, "provisioned_gb": 10.0,
            "thin": False, "thick": True, "multiattach": False, "online_extend": True, "reserved_percentage": 0,
            "max_over_subscription_ratio": "1", "capabilities": {}}


@pytest.fixture
def tx(tmp_path):
    with databases.synced(tmp_path) as made, made.write() as tx:
        yield tx


@pytest.mark.parametrize(("status", "launched_at", "is_pending"), [
    (states.AVAILABLE, BEFORE, False), (states.AVAILABLE, AFTER, True), (states.IN_USE, BEFORE, False),
    (states.CREATING, None, True), (states.ERROR, None, False),
    # Its object may be gone already, and its job gives the capacity back.
    (states.DELETING, BEFORE, True),
])
def test_volumes_that_jobs_create_or_delete_are_added_to_what_was_measured(tx, status, launched_at, is_pending):
    documents = dict.fromkeys(("metadata", "admin_metadata", "image_metadata", "facts", "export"), {})
    tx.execute(sa.insert(schema.volumes).values(
        id="v", project_id="p", user_id="u", status=status, size=7, host=POOL, launched_at=launched_at,
        created_at=BEFORE, **documents))
    pool_stats.update_stats(tx, POOL, "h@b", SINCE, MEASURED)
    added = 7 if is_pending else 0
    found = tx.execute(sa.select(schema.pools.c.provisioned_gb, schema.pools.c.free_gb)).one()
    assert found == (10 + added, 90 - added)
    if status == states.DELETING:
        pools.give_back(tx, POOL, 7, 1)
        assert tx.execute(sa.select(schema.pools.c.provisioned_gb, schema.pools.c.free_gb)).one() == (10, 90)
