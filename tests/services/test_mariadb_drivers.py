"""What depends on the driver of MariaDB is the same with PyMySQL and with mysqlclient."""

import datetime
import pathlib
import signal
import threading
import time
import types

import pytest
import sqlalchemy as sa
from oslo_db import exception as db_errors

from cinder_lite import concurrency, db
from cinder_lite.db import drivers, unusable
from tests.services import processes

WIDE = "\N{GRINNING FACE}"
TABLE = sa.Table("things", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True),
                 sa.Column("name", sa.String(8), unique=True), sa.Column("text", sa.Text),
                 sa.Column("at", sa.DateTime().with_variant(sa.dialects.mysql.DATETIME(fsp=6), "mysql")),
                 sa.Column("flag", sa.Boolean), sa.Column("number", sa.BigInteger), sa.Column("ratio", sa.Float),
                 sa.Column("document", sa.JSON), mysql_charset="utf8mb4", mysql_collate="utf8mb4_bin")


@pytest.fixture(params=["mysql+pymysql", *([] if concurrency.GREEN else ["mysql+mysqldb"])])
def driver(request):
    """The drivers of MariaDB for the kind of threads."""
    return request.param


@pytest.fixture
def opened(mariadb, driver):
    """A function that connects to the empty database by the driver; its words are parameters of the URL."""
    if not mariadb.process.running:
        mariadb.start()
    mariadb.emptied()
    made = []

    def open_(*parameters):
        url = mariadb.url.replace("mysql:", f"{driver}:") + "".join(
            f"{'&' if n else '?'}{parameter}" for n, parameter in enumerate(parameters))
        made.append(db.Database(types.SimpleNamespace(
            connection=url, max_pool_size=5, max_overflow=5, pool_timeout=5, connection_recycle_time=3600)))
        assert made[-1].url.drivername == driver
        return made[-1]

    first = open_()
    with first.write() as tx:
        TABLE.create(tx)
    yield open_
    for one in made:
        one.dispose()


@pytest.mark.parametrize("microsecond, name", [(0, WIDE * 8), (60, "%s \\'\";")])
def test_values_return_as_they_were(opened, microsecond, name):
    database, moment = opened(), datetime.datetime(2026, 1, 2, 3, 4, 5, microsecond)
    row = {"id": 1, "name": name, "text": "\0\n" + WIDE, "at": moment, "flag": True, "number": 2**62, "ratio": 0.1,
           "document": {"a": [None, WIDE, 1.5]}}
    with database.write() as tx:
        tx.execute(sa.insert(TABLE), row)
    with database.read() as tx:
        found = tx.execute(sa.select(TABLE).where(TABLE.c.at == moment)).one()._asdict()
        assert found == row and type(found["flag"]) is bool
        assert tx.execute(sa.select(sa.func.sum(TABLE.c.number))).scalar() == 2**62


def test_sessions_are_set_up_in_the_same_way(opened):
    database = opened()
    with database.read() as reading, database.write() as writing:
        for tx, autocommit in ((reading, 1), (writing, 0)):
            assert tx.exec_driver_sql("SELECT @@autocommit, @@character_set_client, @@character_set_results").one() == (
                autocommit, "utf8mb4", "utf8mb4")
        assert writing.exec_driver_sql("SELECT @@tx_isolation").scalar() == "READ-COMMITTED"


def test_rows_that_match_are_counted_although_they_do_not_change(opened):
    database = opened()
    with database.write() as tx:
        tx.execute(sa.insert(TABLE), [{"id": 1, "number": 5}, {"id": 2, "number": 5}])
        assert tx.execute(sa.update(TABLE).values(number=5)).rowcount == 2


def test_one_statement_is_sent_at_a_time(opened):
    with pytest.raises(db_errors.DBError), opened().write() as tx:
        tx.exec_driver_sql("SELECT 1; DROP TABLE things")


def test_many_rows_are_read_in_parts(opened):
    database = opened()
    with database.write() as tx:
        tx.execute(sa.insert(TABLE), [{"id": n} for n in range(1, 1001)])
    with database.read() as tx:
        rows = tx.execute(sa.select(TABLE.c.id).order_by(TABLE.c.id).execution_options(yield_per=100))
        assert [row.id for row in rows] == list(range(1, 1001))


@pytest.mark.parametrize("values, error", [
    ({"id": 1}, db.Duplicate), ({"id": 2, "name": "one"}, db.Duplicate), ({"id": 2, "name": "x" * 9},
                                                                          db_errors.DBDataError)])
def test_refused_rows_raise_the_same_errors(opened, values, error):
    database = opened()
    with database.write() as tx:
        tx.execute(sa.insert(TABLE), {"id": 1, "name": "one"})
    with pytest.raises(error), database.write() as tx:
        tx.execute(sa.insert(TABLE), values)


def test_the_victim_of_a_deadlock_is_repeated(opened):
    database, times, rolled_back = opened(), [], []
    db.engines.on_contention(database.engines, lambda: rolled_back.append(1))
    with database.write() as tx:
        tx.execute(sa.insert(TABLE), [{"id": 1, "number": 0}, {"id": 2, "number": 0}])
    met = threading.Barrier(2)

    @db.retried
    def both(first, second):
        times.append(first)
        with database.write() as tx:
            for id in (first, second):
                tx.execute(sa.update(TABLE).where(TABLE.c.id == id).values(number=TABLE.c.number + 1))
                if len(times) <= 2 and id == first:
                    met.wait(30)

    others = [threading.Thread(target=both, args=pair) for pair in ((1, 2), (2, 1))]
    for one in others:
        one.start()
    for one in others:
        one.join(60)
    assert len(times) == 3 and rolled_back == [1]
    with database.read() as tx:
        assert tx.execute(sa.select(TABLE.c.number)).scalars().all() == [2, 2]


def test_a_lock_that_is_not_released_is_repeated(opened):
    database, times, rolled_back = opened("init_command=SET innodb_lock_wait_timeout = 1"), [], []
    db.engines.on_contention(database.engines, lambda: rolled_back.append(1))
    with database.write() as tx:
        tx.execute(sa.insert(TABLE), {"id": 1, "number": 0})
    holder = database.engine.connect()
    holder.begin()
    holder.execute(sa.update(TABLE).values(number=1))

    @db.retried
    def change():
        times.append(1)
        if len(times) == 2:
            holder.rollback()
        with database.write() as tx:
            tx.execute(sa.update(TABLE).values(number=TABLE.c.number + 1))

    change()
    holder.close()
    assert len(times) == 2 and rolled_back == [1]


def _id(tx):
    return tx.exec_driver_sql("SELECT CONNECTION_ID()").scalar()


@pytest.mark.parametrize("use", ["read", "write"])
def test_a_connection_that_the_server_ends_is_replaced(opened, mariadb, use):
    database = opened()
    with pytest.raises(db.Unreachable), getattr(database, use)() as tx:
        with mariadb.connect() as other, other.cursor() as cursor:
            cursor.execute(f"KILL {_id(tx)}")
        tx.execute(sa.select(TABLE))
    with getattr(database, use)() as tx:
        tx.execute(sa.select(TABLE))


def test_an_idle_connection_that_the_server_ended_is_not_used(opened, mariadb, monkeypatch):
    monkeypatch.setattr(db.engines, "IDLE_CHECK", 0)
    database = opened()
    with database.write() as tx:
        first = _id(tx)
    with mariadb.connect() as other, other.cursor() as cursor:
        cursor.execute(f"KILL {first}")
    with database.write() as tx:
        assert _id(tx) != first


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_a_server_that_ends_within_a_transaction_is_unreachable_until_it_is_back(opened, mariadb, end):
    database = opened()
    with pytest.raises(db.Unreachable), database.write() as tx:
        tx.execute(sa.insert(TABLE), {"id": 1})
        getattr(mariadb, end)()
        tx.execute(sa.insert(TABLE), {"id": 2})
    with pytest.raises(db.Unreachable), database.read() as tx:
        tx.execute(sa.select(TABLE))
    mariadb.start()
    with database.write() as tx:
        assert tx.execute(sa.select(TABLE)).all() == []


def _states(pid):
    """The states of the threads of a process, as in proc(5)."""
    return {path.read_text().rpartition(")")[2].split()[0] for path in pathlib.Path(f"/proc/{pid}/task").glob("*/stat")}


def test_a_server_that_hangs_is_unreachable_after_the_timeout(opened, mariadb):
    database, late = opened("read_timeout=1"), opened("connect_timeout=1", "read_timeout=1")
    with database.read() as tx:
        tx.execute(sa.select(TABLE))
    mariadb.process.send(signal.SIGSTOP)
    try:
        processes.until(lambda: _states(mariadb.process.pid) == {"T"})
        for one in (database, late):
            with pytest.raises(db.Unreachable), one.read() as tx:
                tx.execute(sa.select(TABLE))
    finally:
        mariadb.process.send(signal.SIGCONT)
    for one in (database, late):
        with one.write() as tx:
            tx.execute(sa.insert(TABLE), {"name": one.url.query.get("connect_timeout")})


def test_a_server_that_only_reads_is_unusable(opened):
    database = opened("init_command=SET tx_read_only = 1")
    with pytest.raises(unusable.Unusable) as found, database.write() as tx:
        tx.execute(sa.insert(TABLE), {"id": 1})
    assert found.value.reason == unusable.READ_ONLY


def test_a_wrong_password_is_unreachable(opened, mariadb):
    database = opened()
    database = db.Database(types.SimpleNamespace(
        connection=database.url.set(password="wrong").render_as_string(hide_password=False), max_pool_size=1,
        max_overflow=0, pool_timeout=5, connection_recycle_time=3600))
    with pytest.raises(db.Unreachable, match="1045"), database.read() as tx:
        _id(tx)


def test_other_threads_run_while_one_waits_for_a_statement(opened):
    database = opened()
    ended, ticks = threading.Event(), []

    def wait():
        with database.read() as tx:
            tx.exec_driver_sql("SELECT SLEEP(1)")
        ended.set()

    one = threading.Thread(target=wait)
    one.start()
    while not ended.is_set():
        ticks.append(1)
        time.sleep(0.01)
    one.join()
    assert len(ticks) > 20


def test_the_driver_is_the_best_for_the_kind_of_threads(mariadb):
    assert drivers.url_of(mariadb.url).drivername == ("mysql+pymysql" if concurrency.GREEN else "mysql+mysqldb")
