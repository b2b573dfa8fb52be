"""Builds the engines of a database: its pools of connections and their checks."""

import contextlib
import functools
import os
import re
from collections.abc import Callable
from typing import Any

import orjson
import sqlalchemy as sa
from oslo_config import cfg
from oslo_db import exception as db_errors
from oslo_db.sqlalchemy import exc_filters

from cinder_lite.concurrency import clock
from cinder_lite.db import drivers, texts, unusable

#: Seconds after which an idle connection is checked before it is used again.
IDLE_CHECK = 5.0
#: Seconds after which the database ends a transaction that waits for its client's next statement: the machine of the
#: client is lost or stopped, and others wait for the locks. On a connection that is lost, it would be hours.
IDLE_IN_TRANSACTION = 10
LIMITS = {"postgresql": "SET idle_in_transaction_session_timeout = '{}s'",
          "mysql": "SET SESSION idle_transaction_timeout = {}"}


def is_missing(url: sa.URL) -> bool:
    """Whether the database is a file that does not exist and that connecting would create."""
    return url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:") and (
        not os.path.exists(url.database or ""))


def build(url: sa.URL, options: cfg.ConfigOpts.GroupAttr, failures: unusable.Failures) -> tuple[sa.Engine, sa.Engine]:
    """The engines for reading and for writing, which note the failures of the database."""
    shared: dict[str, Any] = {
        "json_serializer": texts.dump, "json_deserializer": orjson.loads, "pool_reset_on_return": None,
        "pool_size": options.max_pool_size, "max_overflow": options.max_overflow}
    if url.get_backend_name() == "sqlite":
        if url.database:
            os.makedirs(os.path.dirname(os.path.abspath(url.database)), exist_ok=True)
        shared |= {"connect_args": {"check_same_thread": False, "timeout": 30}, "poolclass": sa.QueuePool,
                   "json_deserializer": texts.load}
    else:
        shared |= {"pool_timeout": options.pool_timeout, "pool_recycle": options.connection_recycle_time,
                   "connect_args": {**drivers.connect_args(url), **drivers.fast_times(url)}}
    return _engine(url, shared, failures, autocommit=True), _engine(url, shared, failures, autocommit=False)


def _engine(url, shared, failures, autocommit):
    dialect = url.get_backend_name()
    if dialect == "sqlite":
        engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", **shared)
        if url.database:
            # With the first connection, which creates the file: a configured database is not necessarily used.
            sa.event.listen(engine, "do_connect", lambda *_: _keep_private(url.database))
        sa.event.listen(engine, "connect", _prepare_sqlite)
    else:
        level = "AUTOCOMMIT" if autocommit else "READ COMMITTED"
        engine = sa.create_engine(url, isolation_level=level, skip_autocommit_rollback=True, **shared)
        sa.event.listen(engine, "do_connect", drivers.connect)
        if not autocommit:
            sa.event.listen(engine, "connect", functools.partial(_limit_idleness, engine.dialect))
        sa.event.listen(engine, "checkin", functools.partial(_note_idle, failures))
        sa.event.listen(engine, "checkout", functools.partial(_check_idle, engine.dialect))
        sa.event.listen(engine, "handle_error", drivers.detect_lost_connection, retval=True)
    # Registered before oslo.db's handler, which replaces the exception.
    sa.event.listen(engine, "handle_error", failures.note)
    # Alone: each statement would look for listeners if there were those of oslo.db for savepoints, which are not used.
    sa.event.listen(engine, "handle_error", exc_filters.handler, retval=True)
    if dialect != "sqlite":
        sa.event.listen(engine, "handle_error", functools.partial(failures.mark, autocommit))
    return engine


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
    # As the servers have it.
    connection.create_function("regexp_replace", 3, lambda text, *to: text and re.sub(*to, text), deterministic=True)
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA busy_timeout=30000")
    cursor.close()


def _limit_idleness(dialect, connection, _record):
    # MySQL, unlike MariaDB, has no such limit.
    with contextlib.suppress(dialect.loaded_dbapi.Error), contextlib.closing(connection.cursor()) as cursor:
        limit = LIMITS["postgresql" if dialect.name == "postgresql" else "mysql"]
        cursor.execute(limit.format(IDLE_IN_TRANSACTION))
        connection.commit()


def _note_idle(failures, connection, record):
    if connection is not None:
        failures.lost_at = None  # the next loss is another one
    record.info["idle_since"] = clock.monotonic()


def _check_idle(dialect, connection, record, _proxy):
    if clock.monotonic() - record.info.get("idle_since", float("inf")) < IDLE_CHECK:
        return
    try:
        dialect.do_ping(connection)
    except dialect.loaded_dbapi.Error as error:
        raise sa.exc.DisconnectionError("the connection was closed by the database") from error


def on_use(engines: tuple[sa.Engine, sa.Engine], begun: Callable[[str], None],
           ended: Callable[[str, float], None]) -> None:
    """Call begun(kind) for each connection that is acquired, and ended(kind, seconds) when it is released.

    `kind` is "read" or "write".
    """
    for kind, engine in zip(("read", "write"), engines, strict=True):
        sa.event.listen(engine, "checkout", functools.partial(_acquired, kind, begun))
        sa.event.listen(engine, "checkin", functools.partial(_released, kind, ended))


def _acquired(kind, begun, _connection, record, _proxy):
    record.info["acquired_at"] = clock.monotonic()
    begun(kind)


def _released(kind, ended, _connection, record):
    ended(kind, clock.monotonic() - record.info["acquired_at"])


def on_contention(engines: tuple[sa.Engine, sa.Engine], rolled_back: Callable[[], None]) -> None:
    """Call rolled_back() for each transaction that the database rolls back for another's sake (see db.Contended)."""
    def note(context):
        # What the handler of oslo.db has made of the driver's error.
        return isinstance(context.chained_exception, db_errors.DBDeadlock) and rolled_back()

    for engine in engines:
        sa.event.listen(engine, "handle_error", note)
