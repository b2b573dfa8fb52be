"""Which driver errors mean that the database is temporarily not writable."""

import types

import psycopg.errors
import pymysql
import pytest

from cinder_lite.db import unusable


@pytest.mark.parametrize("number, reason", [
    (1114, unusable.FULL), (1021, unusable.FULL), (3, unusable.FULL), (1290, unusable.READ_ONLY),
    (1792, unusable.READ_ONLY),
    (1836, unusable.READ_ONLY), (1047, unusable.ALONE), (1180, unusable.ALONE),
    (1040, unusable.CONNECTIONS), (1026, unusable.BROKEN), (1062, None), (1213, None),
    (1205, None)])
def test_mysql(number, reason):
    assert unusable.reason("mysql", pymysql.err.OperationalError(number, "text")) == reason
    assert unusable.reason("mariadb", pymysql.err.OperationalError(number, "text")) == reason


@pytest.mark.parametrize("text, reason", [
    ('Got error 28 "No space left on device" from storage engine InnoDB', unusable.FULL),
    ("Got error 5 from storage engine", unusable.BROKEN)])
def test_mysql_s_storage_engine(text, reason):
    assert unusable.reason("mysql", pymysql.err.OperationalError(1030, text)) == reason


@pytest.mark.parametrize("name, reason", [
    ("DiskFull", unusable.FULL), ("ReadOnlySqlTransaction", unusable.READ_ONLY), ("OutOfMemory", unusable.NO_MEMORY),
    ("TooManyConnections", unusable.CONNECTIONS), ("IoError", unusable.BROKEN), ("DataCorrupted", unusable.DAMAGED),
    ("UniqueViolation", None), ("DeadlockDetected", None), ("SyntaxError", None)])
def test_postgresql(name, reason):
    assert unusable.reason("postgresql", getattr(psycopg.errors, name)("text")) == reason


@pytest.mark.parametrize("code, reason", [
    (13, unusable.FULL), (8, unusable.READ_ONLY), (10, unusable.BROKEN), (10 | 12 << 8, unusable.BROKEN),
    (5, unusable.LOCKED),
    (14, unusable.CLOSED), (19, None), (1, None)])
def test_sqlite(code, reason):
    assert unusable.reason("sqlite", types.SimpleNamespace(sqlite_errorcode=code)) == reason


@pytest.mark.parametrize("dialect", ["sqlite", "mysql", "mariadb", "postgresql"])
def test_other_errors_are_not_classified(dialect):
    for error in (ValueError(), ValueError("text"), OSError(5, "text"), KeyError(None)):
        assert unusable.reason(dialect, error) is None
