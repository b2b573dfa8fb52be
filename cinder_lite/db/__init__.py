"""Opens transactions for reading and for writing, and retries deadlocks.

`Database.read()` and `Database.write()` yield a connection for the length of a `with` block; functions of this package
take it as their first argument `tx`. Reads run outside transactions, one statement each; a write is one transaction at
READ COMMITTED (SQLite: one writer at a time).
"""

import collections
import contextlib
import datetime
import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import sqlalchemy as sa
from oslo_config import cfg
from oslo_db import api as oslo_db_api
from oslo_db import exception as db_errors

from cinder_lite.concurrency import clock, locks
from cinder_lite.db import drivers, engines, unusable

#: The connection that Database.read() and Database.write() yield: the first argument `tx` of this package's functions.
Transaction = sa.Connection
#: A row that a SELECT returns; its columns are attributes.
Row = sa.Row

Duplicate = db_errors.DBDuplicateEntry
Unreachable = db_errors.DBConnectionError
#: The errors of statements while the database is unreachable or refuses the connection.
ERRORS = (db_errors.DBError, sa.exc.OperationalError)

#: The error of a transaction that was rolled back for another's sake: in a deadlock, or after a long wait for a lock.
Contended = db_errors.DBDeadlock
#: How often such a transaction is repeated. The last error is raised: a request is refused, a job waits for its next
#: attempt.
MOST_RETRIES = 10
_if_contended = oslo_db_api.wrap_db_retry(max_retries=MOST_RETRIES, retry_interval=0.02, inc_retry_interval=True,
                                          max_retry_interval=1, retry_on_deadlock=True, jitter=True)

now = clock.now


def retried(function: Callable[..., Any]) -> Any:
    """Decorator: repeats a function that opens its own transaction if that is Contended, or as `patiently`."""
    repeated = _if_contended(function)
    return functools.wraps(function)(lambda *args, **kwargs: patiently(repeated, *args, **kwargs))


def patiently(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """The result of a function, called again for a time while the database is lost, if it has committed nothing."""
    while True:
        try:
            return function(*args, **kwargs)
        except Unreachable as error:
            unusable.wait(error)


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


class Database:
    """The connections of one process. Create it after the fork."""

    def __init__(self, options: cfg.ConfigOpts.GroupAttr):
        """`options` is the section [database]."""
        self.url = drivers.url_of(options.connection)
        self.dialect = self.url.get_backend_name()
        self._failures = unusable.Failures(self.dialect)
        self._reader, self._writer = engines.build(self.url, options, self._failures)
        self._one_writer = locks.rlock() if self.dialect == "sqlite" else contextlib.nullcontext()

    @property
    def trouble(self) -> unusable.Unusable | None:
        """The failure of the last seconds, if any: the database answered but could not be used."""
        return self._failures.last

    def read(self) -> contextlib.AbstractContextManager[Transaction]:
        """A connection for reading; each statement sees the data that is committed when it begins."""
        return self._connected(self._reader)

    @contextlib.contextmanager
    def write(self) -> Iterator[Transaction]:
        """A transaction: committed when the block ends, rolled back if it raises."""
        if self.dialect != "sqlite":
            with self._connected(self._writer) as tx, tx.begin():
                yield tx
            return
        with self._one_writer, self._connected(self._writer) as tx:
            tx.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                yield tx
                tx.exec_driver_sql("COMMIT")
            except BaseException:
                # SQLite has rolled back already if the disk is full.
                if tx.connection.driver_connection.in_transaction:
                    tx.exec_driver_sql("ROLLBACK")
                raise

    def each(self) -> contextlib.AbstractContextManager[Transaction]:
        """A connection on which every statement is committed by itself: one round trip less for a single change.

        SQLite: a transaction, for one writer at a time.
        """
        return self.write() if self.dialect == "sqlite" else self.read()

    def _connected(self, engine):
        """A connection of the engine. Raises Unreachable."""
        try:
            return engine.connect()
        except unusable.OF_CONNECTING as error:
            return self._failures.connect_later(engine, error)

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
