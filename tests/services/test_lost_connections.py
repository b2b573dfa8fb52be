"""Lost connections: what was not committed is repeated, and a transaction of a lost client releases its locks."""

import types

import pytest
import sqlalchemy as sa

from cinder_lite import db
from cinder_lite.db import engines, migrate, schema, unusable


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


def end(database, tx):
    """End the connection of the transaction, as a node that leaves its cluster does."""
    kill, own = {"postgresql": ("SELECT pg_terminate_backend({}, 10000)", "SELECT pg_backend_pid()")}.get(
        database.name, ("KILL {}", "SELECT CONNECTION_ID()"))
    id = tx.exec_driver_sql(own).scalar()
    with database.connect() as connection, connection.cursor() as cursor:
        cursor.execute(kill.format(id))


def test_a_transaction_is_repeated_if_its_connection_is_lost_before_the_commit(database, opened, monkeypatch):
    here, names = opened(), iter(("first", "second", "third"))

    @db.retried
    def change(losses):
        name = next(names)
        with here.write() as tx:
            rename(tx, name)
            if name in losses:
                end(database, tx)
            assert rename(tx, name) == 1

    change(("first", "second"))
    with here.read() as tx:
        assert tx.execute(sa.select(schema.volume_types.c.name)).scalar() == "third"
    # A database that is lost for longer is not waited for.
    monkeypatch.setattr(unusable, "FAILOVER", 0)
    names = iter(("fourth", "fifth"))
    with pytest.raises(db.Unreachable):
        change(("fourth",))
    assert next(names) == "fifth"


def test_a_read_is_repeated(database, opened):
    here, times = opened(), []

    def read():
        times.append(1)
        with here.read() as tx:
            if len(times) == 1:
                end(database, tx)
            return tx.execute(sa.select(schema.volume_types.c.id)).scalar()

    assert db.patiently(read) and len(times) == 2


def test_what_may_have_been_committed_is_not_repeated(database, opened):
    here, times = opened(), []

    @db.retried
    def commit():
        times.append("commit")
        with here.write() as tx:
            rename(tx, "unknown")
            end(database, tx)

    @db.retried
    def at_once():
        times.append("at once")
        with here.each() as tx:
            end(database, tx)
            rename(tx, "unknown")

    for one in (commit, at_once):
        with pytest.raises(db.Unreachable):
            one()
    assert times == ["commit", "at once"]


def test_a_restarted_database_is_waited_for(database, opened, monkeypatch):
    monkeypatch.setattr(unusable, "FAILOVER", 300)
    here, times, wait = opened(), [], unusable.wait
    with here.read() as tx:
        assert tx.execute(sa.select(schema.volume_types.c.id)).scalar()
    database.kill()

    def start(error):
        """Called before each further attempt."""
        times.append(error)
        if len(times) == 3:
            database.start()
        wait(error)

    monkeypatch.setattr(unusable, "wait", start)
    with here.write() as tx:
        assert rename(tx, "late") == 1
    assert len(times) >= 3
