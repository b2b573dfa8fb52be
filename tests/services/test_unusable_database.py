"""A database that answers but is not writable: 503 with the reason, on real servers."""

import contextlib
import os
import pwd
import random
import subprocess
import tempfile

import pytest
import sqlalchemy as sa

from cinder_lite import conf, db
from cinder_lite.api import fault
from cinder_lite.db import migrate, services, unusable


@contextlib.contextmanager
def connected(url, **options):
    configuration = conf.load([], files=[])
    for name, value in {"connection": url, **options}.items():
        configuration.set_override(name, value, "database")
    found = db.Database(configuration.database)
    try:
        yield found
    finally:
        found.dispose()


@pytest.fixture
def small():
    """A directory of PostgreSQL's on a file system of 24 MiB."""
    path, account = tempfile.mkdtemp(prefix="small-"), pwd.getpwnam("postgres")
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size=24m,mode=0700,uid={account.pw_uid},gid={account.pw_gid}",
                    "tmpfs", path],
                   check=True)
    yield path
    subprocess.run(["umount", "--lazy", path], check=True)
    os.rmdir(path)


def run(database, *statements):
    """By an administrator."""
    connection = database.connect()
    try:
        cursor = connection.cursor()
        for statement in statements:
            cursor.execute(statement)
    finally:
        connection.close()


def refused(write, reason):
    with pytest.raises(db.Unreachable) as caught:
        write()
    assert caught.value.reason == reason
    status, headers, body = fault.response(caught.value, internals=False)
    assert (status, dict(headers)["Retry-After"]) == (503, "1") and reason.encode() in body


def test_no_connection_becomes_free(database):
    with connected(database.url, max_pool_size=1, max_overflow=0, pool_timeout=1) as found:
        with found.read(), found.write():
            for use in (found.read, found.write):
                with pytest.raises(db.Unreachable) as caught, use():
                    pass
                assert fault.response(caught.value, internals=False)[0] == 503
        for use in (found.read, found.write):
            with use() as tx:
                assert tx.execute(sa.text("SELECT 1")).scalar() == 1


def test_a_server_that_only_reads(database):
    with connected(database.url) as whole:
        migrate.sync(whole)
    option = "tx_read_only" if database.name == "mariadb" else "default_transaction_read_only"
    change = "SET GLOBAL {} = {}" if database.name == "mariadb" else "ALTER SYSTEM SET {} = {}"
    reload = ["SELECT pg_reload_conf()"] if database.name == "postgresql" else []
    writable = [f"SET {option} = 0"] if database.name == "postgresql" else ["SET SESSION tx_read_only = 0"]
    with connected(database.url) as found:
        def write():
            with found.write() as tx:
                services.try_to_write(tx)

        write()
        run(database, change.format(option, 1), *reload)
        found.dispose()  # open connections do not hear of it
        try:
            refused(write, unusable.READ_ONLY)
            assert found.trouble.reason == unusable.READ_ONLY
        finally:
            run(database, *writable, change.format(option, 0), *reload)
        found.dispose()
        write()


def test_a_server_whose_disk_is_full(database, small):
    # A table in memory is full without the crash that a full disk is to MariaDB's storage engine.
    made, gone = {
        "mariadb": (["CREATE TABLE fat (text VARCHAR(8000)) ENGINE=MEMORY"], []),
        "postgresql": ([f"CREATE TABLESPACE small LOCATION '{small}'", "CREATE TABLE fat (text TEXT) TABLESPACE small"],
                       ["DROP TABLESPACE small"])}[database.name]
    run(database, *made)
    try:
        with connected(database.url) as found:
            def write():
                for _ in range(10000):
                    with found.write() as tx:
                        tx.execute(sa.text("INSERT INTO fat VALUES (:text)"), {"text": random.randbytes(4000).hex()})

            refused(write, unusable.FULL)
    finally:
        run(database, "DROP TABLE fat", *gone)
