"""A transaction whose client is lost or stopped releases its locks: the database ends it."""

import types

import pytest
import sqlalchemy as sa

from cinder_lite import db
from cinder_lite.db import engines, migrate, schema


@pytest.fixture
def opened(database, monkeypatch):
    """A function that opens the database as one more process; transactions may be idle for a second."""
    monkeypatch.setattr(engines, "IDLE_IN_TRANSACTION", 1)
    made = []

    def open_():
        made.append(db.Database(types.SimpleNamespace(
            connection=database.url, max_pool_size=2, max_overflow=0, pool_timeout=5, connection_recycle_time=3600)))
        return made[-1]

    migrate.sync(open_())
    yield open_
    for one in made:
        one.dispose()


def rename(tx, name):
    return tx.execute(sa.update(schema.volume_types).values(name=name)).rowcount


def test_locks_of_a_stopped_client_are_released(opened):
    stopped, other = opened(), opened()
    with pytest.raises(db.Unreachable), stopped.write() as tx:
        assert rename(tx, "first") == 1
        # Waits for the row until the database has ended the first transaction.
        with other.write() as later:
            assert rename(later, "second") == 1
        rename(tx, "third")
    with stopped.write() as tx:
        assert tx.execute(sa.select(schema.volume_types.c.name)).scalar() == "second"
