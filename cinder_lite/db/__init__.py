"""Connects to the database, opens transactions and retries deadlocks.

`Database.read()` and `Database.write()` yield a connection for the length of a `with` block; functions of this package
take it as their first argument `tx`. Reads run outside transactions, one statement each; a write is one transaction at
READ COMMITTED (SQLite: one writer at a time).
"""

import collections
import contextlib
import datetime
import functools
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import orjson
import sqlalchemy as sa
from oslo_config import cfg
from oslo_db import api as oslo_db_api
from oslo_db import exception as db_errors
from oslo_db.sqlalchemy import exc_filters
from sqlalchemy.dialects import mysql

from cinder_lite import errors
from cinder_lite.concurrency import clock, locks
from cinder_lite.db import unusable

#: Seconds after which an idle connection is checked before it is used again.
IDLE_CHECK = 5.0
#: Seconds for which a failure of the database is reported after its last occurrence.
TROUBLE = 30.0

#: The connection that Database.read() and Database.write() yield: the first argument `tx` of this package's functions.
Transaction = sa.Connection
#: A row that a SELECT returns; its columns are attributes.
Row = sa.Row

Duplicate = db_errors.DBDuplicateEntry
Unreachable = db_errors.DBConnectionError
#: The errors of statements while the database is unreachable or refuses the connection.
ERRORS = (db_errors.DBError, sa.exc.OperationalError)

#: Decorator: repeats a function that opens its own transaction if the transaction is the victim of a deadlock.
retried = oslo_db_api.wrap_db_retry(max_retries=10, retry_interval=0.02, inc_retry_interval=True, max_retry_interval=1,
                                    retry_on_deadlock=True, jitter=True)

now = clock.now


def is_recent(time: datetime.datetime | None, seconds: float) -> bool:
    """Whether a stored time is at most so many seconds old; None is not."""
    return time is not None and now() - time <= datetime.timedelta(seconds=seconds)


def parse_time(text: str) -> datetime.datetime:
    """A stored time from its ISO 8601 text."""
    return datetime.datetime.fromisoformat(text).astimezone(datetime.UTC).replace(tzinfo=None) if "+" in text \
        else datetime.datetime.fromisoformat(text.removesuffix("Z"))


def row_type(columns: Iterable[str]) -> Any:
    """A named tuple with these columns: a row that no SELECT of its own has returned."""
    return collections.namedtuple("Row", columns)


def _dumps(value):
    return orjson.dumps(value).decode()


def _loads(text):
    # SQLite converts a document that consists of a number.
    return text if isinstance(text, int | float) else orjson.loads(text)


#: The installed drivers, which are used whatever driver a URL names.
DRIVERS = {"mysql": "mysql+pymysql", "mariadb": "mysql+pymysql", "postgresql": "postgresql+psycopg"}


def is_missing(url: sa.URL) -> bool:
    """Whether the database is a file that does not exist and that connecting would create."""
    return url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:") and (
        not os.path.exists(url.database or ""))


def url_of(connection: str) -> sa.URL:
    """The URL with an installed driver and without plugins: URLs of Cinder may name others."""
    try:
        url = sa.make_url(connection).difference_update_query(["plugin"])
        url = url.set(drivername=DRIVERS.get(url.get_backend_name(), url.drivername))
        url.get_dialect()
    except (sa.exc.ArgumentError, ValueError) as error:
        # The original message may contain a part of the password.
        raise errors.Misconfigured("the database's URL is not like 'mysql+pymysql://USER:PASSWORD@HOST/NAME', with "
                                   "'%40' for '@' and the like within it, or is of an unsupported database") from error
    return url


def connect_args(url: sa.URL) -> dict[str, Any]:
    """Arguments of the driver besides the URL."""
    # By default PyMySQL tries TLS and loads the system's certificates for every connection.
    if url.get_backend_name() in ("mysql", "mariadb") and not any(key.startswith("ssl") for key in url.query):
        return {"ssl_disabled": True}
    return {}


def _fast_times(url):
    """Arguments by which PyMySQL parses times faster; they suit only the service's own database."""
    if url.get_backend_name() not in ("mysql", "mariadb"):
        return {}
    driver = url.get_dialect().import_dbapi()
    return {"conv": {**driver.converters.conversions,
                     driver.constants.FIELD_TYPE.DATETIME: datetime.datetime.fromisoformat}}


def import_driver(options: cfg.ConfigOpts.GroupAttr) -> None:
    """Import the database driver of the section [database], without connecting."""
    url_of(options.connection).get_dialect().import_dbapi()


class Database:
    """The connections of one process. Create it after the fork."""

    def __init__(self, options: cfg.ConfigOpts.GroupAttr):
        """`options` is the section [database]."""
        url = url_of(options.connection)
        self.dialect = url.get_backend_name()
        self.url = url
        shared: dict[str, Any] = {"json_serializer": _dumps, "json_deserializer": _loads, "pool_reset_on_return": None}
        if self.dialect == "sqlite":
            if url.database:
                os.makedirs(os.path.dirname(os.path.abspath(url.database)), exist_ok=True)
            shared |= {"connect_args": {"check_same_thread": False, "timeout": 30}, "pool_size": options.max_pool_size,
                       "max_overflow": options.max_overflow, "poolclass": sa.QueuePool}
        else:
            shared |= {"pool_size": options.max_pool_size, "max_overflow": options.max_overflow,
                       "pool_timeout": options.pool_timeout, "pool_recycle": options.connection_recycle_time,
                       "connect_args": {**connect_args(url), **_fast_times(url)}}
        self._trouble = 0.0, None
        self._reader = self._engine(url, shared, autocommit=True)
        self._writer = self._engine(url, shared, autocommit=False)
        self._one_writer = locks.rlock() if self.dialect == "sqlite" else contextlib.nullcontext()

    def _engine(self, url, shared, autocommit):
        if self.dialect == "sqlite":
            engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", **shared)
            if url.database:
                # With the first connection, which creates the file: a configured database is not necessarily used.
                sa.event.listen(engine, "do_connect", lambda *_: _keep_private(url.database))
            sa.event.listen(engine, "connect", _prepare_sqlite)
        else:
            level = "AUTOCOMMIT" if autocommit else "READ COMMITTED"
            engine = sa.create_engine(url, isolation_level=level, skip_autocommit_rollback=True, **shared)
            sa.event.listen(engine, "checkin", _note_idle)
            sa.event.listen(engine, "checkout", functools.partial(_check_idle, engine.dialect))
        if self.dialect == "postgresql":
            sa.event.listen(engine, "handle_error", _detect_lost_connection, retval=True)
        # Registered before oslo.db's handler, which replaces the exception.
        sa.event.listen(engine, "handle_error", self._note_unusable)
        exc_filters.register_engine(engine)
        return engine

    def _note_unusable(self, context):
        reason = unusable.reason(self.dialect, context.original_exception)
        if reason is not None and not context.is_disconnect:
            self._trouble = clock.monotonic(), unusable.Unusable(reason, context.original_exception)
            raise self._trouble[1]

    @property
    def trouble(self) -> unusable.Unusable | None:
        """The failure of the last TROUBLE seconds, if any: the database answered but could not be used."""
        at, found = self._trouble
        return found if found is not None and clock.monotonic() - at < TROUBLE else None

    @contextlib.contextmanager
    def read(self) -> Iterator[Transaction]:
        """A connection for reading; each statement sees the data that is committed when it begins."""
        with _connected(self._reader) as tx:
            yield tx

    @contextlib.contextmanager
    def write(self) -> Iterator[Transaction]:
        """A transaction: committed when the block ends, rolled back if it raises."""
        if self.dialect != "sqlite":
            with _connected(self._writer) as tx, tx.begin():
                yield tx
            return
        with self._one_writer, _connected(self._writer) as tx:
            tx.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                yield tx
                tx.exec_driver_sql("COMMIT")
            except BaseException:
                # SQLite has rolled back already if the disk is full.
                if tx.connection.driver_connection.in_transaction:
                    tx.exec_driver_sql("ROLLBACK")
                raise

    def on_use(self, begun: Callable[[str], None], ended: Callable[[str, float], None]) -> None:
        """Call begun(kind) for each connection that is acquired, and ended(kind, seconds) when it is released.

        `kind` is "read" or "write".
        """
        for kind, engine in (("read", self._reader), ("write", self._writer)):
            sa.event.listen(engine, "checkout", functools.partial(_acquired, kind, begun))
            sa.event.listen(engine, "checkin", functools.partial(_released, kind, ended))

    @property
    def engine(self) -> sa.Engine:
        """The engine of migrations and of tools that watch statements."""
        return self._writer

    @property
    def engines(self) -> tuple[sa.Engine, sa.Engine]:
        return self._reader, self._writer

    def dispose(self) -> None:
        self._reader.dispose()
        self._writer.dispose()


def _keep_private(path):
    """Make a database file readable to its owner only, whatever the umask; SQLite creates further files with this mode.

    The file is opened only to create it. Closing any descriptor of it releases this process's locks on it (POSIX
    advisory locks, see "How To Corrupt An SQLite Database File", 2.2): the next process that closes the database
    would delete the write-ahead log that is in use.
    """
    with contextlib.suppress(OSError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    for one in (path, f"{path}-wal", f"{path}-shm", f"{path}-journal"):
        with contextlib.suppress(OSError):
            if os.stat(one).st_mode & 0o077:
                os.chmod(one, 0o600)


def _prepare_sqlite(connection, _record):
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA busy_timeout=30000")
    cursor.close()


def _connected(engine):
    """A connection of the engine. oslo.db does not recognize the messages of psycopg when connecting fails."""
    try:
        return engine.connect()
    except sa.exc.OperationalError as error:
        raise Unreachable(error) from error


def _note_idle(_connection, record):
    record.info["idle_since"] = clock.monotonic()


def _acquired(kind, begun, _connection, record, _proxy):
    record.info["acquired_at"] = clock.monotonic()
    begun(kind)


def _released(kind, ended, _connection, record):
    ended(kind, clock.monotonic() - record.info["acquired_at"])


def _detect_lost_connection(context):
    """Treat further errors of psycopg as lost connections, such as those of a server that accepts no connections.

    Class 08 is a failed connection, 57P a server that stops or starts; errors of libpq itself have no SQLSTATE.
    """
    error = context.original_exception
    if isinstance(error, context.dialect.loaded_dbapi.OperationalError):
        state = getattr(error, "sqlstate", None)
        context.is_disconnect = context.is_disconnect or state is None or state.startswith(("08", "57P"))


def _check_idle(dialect, connection, record, _proxy):
    since = record.info.get("idle_since")
    if since is None or clock.monotonic() - since < IDLE_CHECK:
        return
    try:
        dialect.do_ping(connection)
    except dialect.loaded_dbapi.Error as error:
        raise sa.exc.DisconnectionError("the connection was closed by the database") from error


# -- texts

#: Characters of a text that are stored: of at most four bytes each, and MariaDB's TEXT has 65,535 bytes.
LONGEST_TEXT = 15_000


def bounded(text: object) -> str:
    """The text in a form that every database stores; the number of omitted characters is appended.

    PostgreSQL stores no NUL, and no database half of a surrogate pair.
    """
    text = str(text).encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")
    if len(text) <= LONGEST_TEXT:
        return text
    end = f" … ({len(text) - LONGEST_TEXT + 100} characters more)"
    return text[:LONGEST_TEXT - 100] + end


class FreeText(sa.TypeDecorator):
    """A column for reasons and messages, which are shortened to LONGEST_TEXT characters."""

    impl = sa.Text
    cache_ok = True

    def __init__(self, *, long: bool = False):
        super().__init__()
        self.long = long

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        if self.long and dialect.name in ("mysql", "mariadb"):
            return dialect.type_descriptor(mysql.LONGTEXT())
        return dialect.type_descriptor(sa.Text())

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> str | None:
        return None if value is None else bounded(value)
