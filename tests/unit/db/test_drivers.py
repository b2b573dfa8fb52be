"""Which driver a database's URL leads to, and with which arguments it connects."""

import pytest

from cinder_lite import concurrency
from cinder_lite.db import drivers

AT = "u:p@db.example/cinder"
#: The driver of MariaDB where none is named: mysqlclient, which eventlet does not allow.
BEST = drivers.PYMYSQL if concurrency.GREEN else drivers.MYSQLCLIENT


@pytest.mark.parametrize("named,driver", [
    ("mysql", BEST), ("mariadb", BEST), ("mysql+mysqldb", BEST), ("mariadb+mysqldb", BEST),
    ("mysql+mysqlconnector", BEST), ("mysql+pymysql", drivers.PYMYSQL), ("mariadb+pymysql", drivers.PYMYSQL),
    ("postgresql", drivers.PSYCOPG), ("postgresql+psycopg2", drivers.PSYCOPG), ("sqlite", "sqlite")])
def test_a_named_driver_is_used_and_the_best_of_the_installed_ones_otherwise(named, driver):
    assert drivers.url_of(f"{named}://" + ("" if named == "sqlite" else AT)).drivername == driver


@pytest.mark.parametrize("query,driver", [
    ("charset=utf8&read_timeout=9&unix_socket=/run/s", BEST), ("ssl_ca=/ca.pem&ssl_cert=/c&ssl_key=/k", BEST),
    ("plugin=dbcounter", BEST), ("ssl_ca=/ca.pem&ssl_check_hostname=false", drivers.PYMYSQL),
    ("ssl_verify_cert=true", drivers.PYMYSQL), ("ssl_cipher=AES", drivers.PYMYSQL),
    ("bind_address=127.0.0.1", drivers.PYMYSQL)])
def test_parameters_of_pymysql_alone_choose_it(query, driver):
    assert drivers.url_of(f"mysql://{AT}?{query}").drivername == driver


@pytest.mark.once
@pytest.mark.parametrize("url,expected", [
    (AT, {"ssl_mode": "DISABLED", "charset": "utf8mb4", "connect_timeout": 10, "local_infile": 0}),
    (f"{AT}?ssl_ca=/ca.pem&connect_timeout=3&charset=utf8", {"ssl_mode": "VERIFY_IDENTITY", "local_infile": 0}),
    (f"{AT}?ssl_cert=/c&ssl_key=/k&local_infile=1", {
        "ssl_mode": "REQUIRED", "charset": "utf8mb4", "connect_timeout": 10}),
    ("u:p@localhost:3307/cinder?charset=utf8&local_infile=1&connect_timeout=1", {
        "ssl_mode": "DISABLED", "host": "127.0.0.1"}),
    ("u:p@localhost/cinder?unix_socket=/run/s&charset=utf8&local_infile=1&connect_timeout=1", {
        "ssl_mode": "DISABLED"})])
def test_mysqlclient_has_the_defaults_of_pymysql(url, expected):
    assert drivers.connect_args(drivers.url_of(f"mysql://{url}")) == {"multi_statements": 0, **expected}


def test_pymysql_reads_no_certificates_without_tls():
    assert drivers.connect_args(drivers.url_of(f"mysql+pymysql://{AT}")) == {"ssl_disabled": True}
    assert drivers.connect_args(drivers.url_of(f"mysql+pymysql://{AT}?ssl_ca=/ca.pem")) == {}


@pytest.mark.parametrize("url,reason", [
    (f"mysql://{AT}", None), (f"mysql+pymysql://{AT}", None), ("sqlite://", None), (f"postgresql://{AT}", None),
    (f"mysql://{AT}?ssl_cipher=AES", None), (f"mysql+mysqldb://{AT}", "green threads" if concurrency.GREEN else None),
    (f"mysql+mysqldb://{AT}?ssl_cipher=AES", "green threads" if concurrency.GREEN else "lacks one of the")])
def test_a_named_driver_that_is_not_used_is_a_problem(url, reason):
    found = drivers.replaced(url)
    assert found is None if reason is None else reason in found


def test_psycopg_is_the_implementation_in_c():
    said = drivers.description(drivers.url_of(f"postgresql://{AT}"))
    assert said.partition(" by ")[2] in ("psycopg (binary)", "psycopg (c)") and ":p@" not in said
