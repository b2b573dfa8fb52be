"""Chooses the driver of a database by its URL, and the arguments with which it connects."""

import datetime
import importlib.util
from typing import Any

import sqlalchemy as sa
from oslo_config import cfg

from cinder_lite import errors
from cinder_lite.concurrency import patching

MYSQL, PSYCOPG, PYMYSQL, MYSQLCLIENT = ("mysql", "mariadb"), "postgresql+psycopg", "mysql+pymysql", "mysql+mysqldb"
#: The parameters of a URL that mysqlclient has too, with PyMySQL's meaning, and those that only mysqlclient has.
PARAMETERS = frozenset("charset client_flag connect_timeout init_command local_infile read_timeout ssl_ca ssl_capath "
                       "ssl_cert ssl_key ssl_mode unix_socket write_timeout".split())
#: Seconds for a connection, the greeting of the server included, unless the URL has connect_timeout.
CONNECT_TIMEOUT = 10


def url_of(connection: str) -> sa.URL:
    """The URL with an installed driver and without plugins: URLs of Cinder may name others."""
    try:
        url = sa.make_url(connection).difference_update_query(["plugin"])
        url = url.set(drivername=_driver(url))
        url.get_dialect()
    except (sa.exc.ArgumentError, ValueError) as error:
        # The original message may contain a part of the password.
        raise errors.Misconfigured("the database's URL is not like 'mysql://USER:PASSWORD@HOST/NAME', with "
                                   "'%40' for '@' and the like within it, or is of an unsupported database") from error
    return url


def _driver(url):
    if url.get_backend_name() not in MYSQL:
        return PSYCOPG if url.get_backend_name() == "postgresql" else url.drivername
    return PYMYSQL if url.drivername.endswith("+pymysql") or _obstacle(url) else MYSQLCLIENT


def replaced(connection: str) -> str | None:
    """Why PyMySQL is used instead of mysqlclient, which the URL names; None if it does not or is obeyed."""
    url = sa.make_url(connection)
    obstacle = _obstacle(url) if url.drivername.endswith("+mysqldb") else None
    return obstacle and f"PyMySQL is used instead of mysqldb, because {obstacle}: write mysql:// for the best available"


def _obstacle(url):
    """Why mysqlclient cannot be used, or not with the meaning that the URL has with PyMySQL; None if it can."""
    found = {"mysqlclient would stop all green threads whenever it waits": patching.GREEN,
             "mysqlclient is not installed": importlib.util.find_spec("MySQLdb") is None,
             "mysqlclient lacks one of the parameters": bool(url.query.keys() - PARAMETERS)}
    return next((reason for reason, is_met in found.items() if is_met), None)


def connect_args(url: sa.URL) -> dict[str, Any]:
    """Arguments of the driver besides the URL."""
    has_tls = any(key.startswith("ssl") for key in url.query)
    if url.drivername == PSYCOPG:
        return {"connect_timeout": CONNECT_TIMEOUT} if "connect_timeout" not in url.query else {}
    if url.drivername != MYSQLCLIENT:
        # By default PyMySQL tries TLS and loads the system's certificates for every connection.
        return {"ssl_disabled": True} if url.drivername == PYMYSQL and not has_tls else {}
    # Defaults of PyMySQL, which are not those of the C library: it would not verify certificates, for example.
    mode = "VERIFY_IDENTITY" if {"ssl_ca", "ssl_capath"} & url.query.keys() else "REQUIRED" if has_tls else "DISABLED"
    found = {"ssl_mode": mode, "charset": "utf8mb4", "connect_timeout": CONNECT_TIMEOUT, "local_infile": 0,
             "multi_statements": 0}
    if url.host in (None, "localhost") and "unix_socket" not in url.query:
        # For the C library localhost is the default socket, whatever the port.
        found["host"] = "127.0.0.1"
    return {key: found[key] for key in found.keys() - url.query.keys()}


def connect(dialect: Any, _record: Any, args: Any, options: dict[str, Any]) -> Any:
    """A connection by PyMySQL, which without read_timeout would wait for the server's greeting for ever; None with
    other drivers, which SQLAlchemy calls itself."""
    if dialect.driver != "pymysql" or "read_timeout" in options:
        return None
    connection = dialect.connect(*args, read_timeout=options.get("connect_timeout", CONNECT_TIMEOUT), **options)
    connection._read_timeout = None  # statements have no limit
    return connection


def fast_times(url: sa.URL) -> dict[str, Any]:
    """Arguments by which a driver of MariaDB parses times faster; they suit only the service's own database."""
    if url.get_backend_name() not in MYSQL:
        return {}
    name = url.get_dialect().import_dbapi().__name__
    converters, constants = (importlib.import_module(f"{name}.{part}") for part in ("converters", "constants"))
    return {"conv": {**converters.conversions, constants.FIELD_TYPE.DATETIME: datetime.datetime.fromisoformat}}


def import_driver(options: cfg.ConfigOpts.GroupAttr) -> None:
    """Import the database driver of the section [database], without connecting."""
    url_of(options.connection).get_dialect().import_dbapi()


def description(url: sa.URL) -> str:
    """The URL without its password, and for psycopg its implementation: in C ('c', 'binary') or in Python."""
    by = f" by psycopg ({importlib.import_module('psycopg').pq.__impl__})" if url.drivername == PSYCOPG else ""
    return url.render_as_string(hide_password=True) + by


def detect_lost_connection(context: Any) -> None:
    """Mark an error of a statement as a lost connection, among those that SQLAlchemy does not recognize."""
    error = context.original_exception
    if isinstance(error, context.dialect.loaded_dbapi.OperationalError):
        # MariaDB's 1053: the server stops. 2000 to 2999: errors of its client, such as 2026, a failure of TLS.
        is_lost = any(number == 1053 or number in range(2000, 3000) for number in error.args[:1])
        # PostgreSQL's class 08 is a failed connection, 57P a server that stops or starts; errors of libpq have none.
        state = getattr(error, "sqlstate", "")
        context.is_disconnect |= is_lost or state is None or state.startswith(("08", "57P"))
