"""Connection errors of all databases are reported as one error class."""

import socket
import subprocess
import sys
import types

import pytest

from cinder_lite import db
from cinder_lite.db import drivers


@pytest.mark.parametrize("driver", ["mysql+pymysql", "postgresql+psycopg"])
@pytest.mark.parametrize("use", ["read", "write"])
def test_refused_connection_is_unreachable(driver, use):
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        database = db.Database(types.SimpleNamespace(
            connection=f"{driver}://u:p@127.0.0.1:{unheard.getsockname()[1]}/x", max_pool_size=1, max_overflow=0,
            pool_timeout=5, connection_recycle_time=3600))
        with pytest.raises(db.Unreachable), getattr(database, use)() as tx:
            tx.exec_driver_sql("SELECT 1")


@pytest.mark.parametrize("driver", ["mysql+pymysql", "mysql", "postgresql+psycopg"])
def test_a_database_that_accepts_connections_and_is_silent_is_unreachable(monkeypatch, driver):
    monkeypatch.setattr(drivers, "CONNECT_TIMEOUT", 2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        database = db.Database(types.SimpleNamespace(
            connection=f"{driver}://u:p@127.0.0.1:{silent.getsockname()[1]}/x", max_pool_size=1,
            max_overflow=0, pool_timeout=5, connection_recycle_time=3600))
        with pytest.raises(db.Unreachable), database.read() as tx:
            tx.exec_driver_sql("SELECT 1")


@pytest.mark.parametrize("before", [True, False])
def test_the_file_of_a_database_is_private_and_its_locks_stay(tmp_path, before):
    """Whoever opens and closes the database in another process finds that it is in use, and leaves its log."""
    path = tmp_path / "database"
    if before:
        path.touch(0o644)
    database = db.Database(types.SimpleNamespace(connection=f"sqlite:///{path}", max_pool_size=5, max_overflow=5))
    with database.write() as tx, database.read(), database.read():
        tx.exec_driver_sql("CREATE TABLE one (id INTEGER)")
    assert path.stat().st_mode & 0o777 == 0o600
    log = path.with_name("database-wal")
    inode = log.stat().st_ino
    look = ("import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); "
            "print(c.execute('SELECT count(*) FROM one').fetchall()); c.close()")
    for rows in range(3):
        seen = subprocess.run([sys.executable, "-c", look, path], capture_output=True, text=True, check=True).stdout
        assert seen == f"[({rows},)]\n" and log.stat().st_ino == inode
        with database.write() as tx:
            tx.exec_driver_sql("INSERT INTO one VALUES (1)")
    database.dispose()
