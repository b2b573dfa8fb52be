"""The kept pools are those of the database, and only what was measured again is read in full."""

import datetime
import random

import pytest
import sqlalchemy as sa

from cinder_lite import db
from cinder_lite.db import pool_stats, pools, schema, services
from cinder_lite.jobs.pool_capacity import Bounds, as_pool
from cinder_lite.scheduler.pool_table import PoolTable
from tests import databases

DOWN_TIME = 60
STATS = {"total_gb": 1000.0, "total_word": None, "free_gb": 900.0, "free_word": None, "provisioned_gb": 100.0,
         "thin": True, "thick": True, "multiattach": False, "online_extend": True, "reserved_percentage": 0,
         "max_over_subscription_ratio": "20.0", "capabilities": {"a": "b"}}
UNKNOWN = {**STATS, "total_gb": None, "total_word": "infinite", "free_gb": None, "free_word": "infinite"}


@pytest.fixture
def database(tmp_path):
    with databases.synced(tmp_path) as found:
        yield found


def measure(tx, host, number, values):
    pool_stats.update_stats(tx, f"{host}#p{number}", host, db.now(), values)


def change(tx, rng, host):
    """One of the changes that services make."""
    number, kind = rng.randrange(4), rng.randrange(8)
    of_host = sa.update(schema.services).where(schema.services.c.host == host)
    if kind == 0:
        measure(tx, host, number, {**STATS, "free_gb": rng.random() * 900, "capabilities": {"a": rng.random()}})
    elif kind == 1:
        measure(tx, host, number, UNKNOWN)
    elif kind == 2:
        pool_stats.delete_others(tx, host, [f"{host}#p{number}"])
    elif kind == 3:
        tx.execute(of_host.values(seen_at=db.now() - datetime.timedelta(seconds=rng.choice((0, 2 * DOWN_TIME)))))
    elif kind == 4:
        services.switch(tx, "cinder-volume", host, disabled=rng.random() < 0.5, frozen=rng.random() < 0.5)
    elif kind == 5:
        tx.execute(of_host.values(backend_up=rng.random() < 0.5, backend_reason=rng.choice((None, "broken")),
                                  availability_zone=rng.choice(("nova", "other"))))
    else:
        pools.take(tx, f"{host}#p{number}", 1, 1, Bounds(1, None, None, 1 if kind == 6 else 0))


def expected(database):
    with database.read() as tx:
        return [as_pool(row, DOWN_TIME) for row in pools.with_services(tx)]


def test_kept_pools_are_those_of_the_database(database):
    rng, table = random.Random(5), PoolTable()
    hosts = [f"n{n}@b" for n in range(5)]
    with database.write() as tx:
        for host in hosts:
            services.beat(tx, "cinder-volume", host, "nova", host)
    for _ in range(400):
        with database.write() as tx:
            for _ in range(rng.randrange(3)):
                change(tx, rng, rng.choice(hosts))
        with database.read() as tx:
            assert table.read(tx, DOWN_TIME) == expected(database)


def test_what_has_not_changed_is_the_same_object_and_not_read_again(database):
    table, sent = PoolTable(), []
    with database.write() as tx:
        for host in ("n1@b", "n2@b"):
            services.beat(tx, "cinder-volume", host, "nova", host)
            measure(tx, host, 0, STATS)
    for engine in database.engines:
        sa.event.listen(engine, "before_cursor_execute", lambda *call: sent.append((call[2], call[3])))
    with database.read() as tx:
        first = table.read(tx, DOWN_TIME)
        with database.write() as other:
            pools.take(other, "n1@b#p0", 1, 1, Bounds(1, None, None, 0))
        sent.clear()
        second = table.read(tx, DOWN_TIME)
        assert len(sent) == 1 and second[0] is not first[0] and second[1] is first[1]
        with database.write() as other:
            measure(other, "n2@b", 0, STATS)
        sent.clear()
        assert table.read(tx, DOWN_TIME) == second and len(sent) == 2 and sent[1][1] == ("cinder-volume", "n2@b")
