"""Recognizes errors of databases that answer but cannot execute statements, and bounds the wait for a lost one."""

from typing import Any

import sqlalchemy as sa
from oslo_db import exception as db_errors

from cinder_lite.concurrency import clock

FULL, READ_ONLY, BROKEN = "its disk is full", "it is read-only", "its disk reports errors"
NO_MEMORY, CONNECTIONS = "it has no memory left", "it has too many connections"
LOCKED = "another process holds its lock"
DAMAGED, CLOSED = "its file is damaged", "its file cannot be opened"
ALONE = "its node has lost the other nodes of its cluster"
#: What another node may not suffer from: the next attempt gets a new connection, which a balancer may lead to it.
OF_ONE_NODE = (READ_ONLY, ALONE)

#: Seconds for which a failure of the database is reported after its last occurrence.
REPORTED = 30.0
#: Seconds for which callers wait for a lost database, such as for another node of its cluster, and between attempts.
FAILOVER, INTERVAL = 10.0, 0.2
REPEATED_UNTIL = "repeated_until"
#: Primary result codes of SQLite.
SQLITE = {5: LOCKED, 6: LOCKED, 7: NO_MEMORY, 8: READ_ONLY, 10: BROKEN, 11: DAMAGED, 13: FULL, 14: CLOSED, 22: FULL,
          26: DAMAGED}
#: Errors of MySQL and MariaDB; 1030 is an error of the storage engine, whose text has the system's error number.
#: Of a node of Galera without a majority, 1047 refuses statements and 1180 ends a COMMIT that has not happened.
MYSQL = {3: FULL, 1021: FULL, 1026: BROKEN, 1037: NO_MEMORY, 1038: NO_MEMORY, 1040: CONNECTIONS, 1041: NO_MEMORY,
         1047: ALONE, 1114: FULL, 1180: ALONE, 1203: CONNECTIONS, 1226: CONNECTIONS, 1290: READ_ONLY, 1792: READ_ONLY,
         1836: READ_ONLY, 3675: FULL}
ENGINE_ERROR = 1030
#: It comes after a COMMIT has begun; others of one node refuse the statement, or the COMMIT.
OF_COMMIT = 1180
#: The errors of attempts to connect. oslo.db does not recognize the messages of psycopg, nor a pool none of whose
#: connections becomes free.
OF_CONNECTING = (sa.exc.OperationalError, sa.exc.TimeoutError, db_errors.DBConnectionError)
#: SQLSTATEs of PostgreSQL, and their first two characters.
POSTGRESQL = {"25006": READ_ONLY, "53100": FULL, "53200": NO_MEMORY, "53300": CONNECTIONS, "53": "it lacks resources",
              "58": BROKEN, "XX001": DAMAGED, "XX002": DAMAGED}


class Unusable(db_errors.DBConnectionError):
    """The database cannot be used; `reason` completes that sentence. It is retried like a lost connection."""

    def __init__(self, reason: str, error: BaseException):
        super().__init__(error)
        self.reason = reason

    def __str__(self):
        return f"{self.reason} ({' '.join(str(self.inner_exception).split())})"


def reason(dialect: str, error: Any) -> str | None:
    """The reason why the database cannot be used, by the error of its driver; None for other errors."""
    if dialect == "sqlite":
        return SQLITE.get((getattr(error, "sqlite_errorcode", None) or 0) & 0xff)
    if dialect == "postgresql":
        state = getattr(error, "sqlstate", None) or ""
        return POSTGRESQL.get(state) or POSTGRESQL.get(state[:2])
    number, text = (*getattr(error, "args", ()), None, None)[:2]
    if isinstance(error, OSError):
        return None
    if number == ENGINE_ERROR:
        return FULL if "error 28" in str(text) else BROKEN
    return MYSQL.get(number) if isinstance(number, int) else None


class Failures:
    """Notes the last failure of a database that answered but could not be used, and since when it has been lost."""

    def __init__(self, dialect: str):
        self._dialect = dialect
        self._at: float = 0.0
        self._found: Unusable | None = None
        self.lost_at: float | None = None

    def note(self, context: Any) -> None:
        """Raise Unusable for the error of a statement that is such a failure."""
        found = reason(self._dialect, context.original_exception)
        if found is not None and not context.is_disconnect:
            self._at, self._found = clock.monotonic(), Unusable(found, context.original_exception)
            context.is_disconnect = found in OF_ONE_NODE and self._dialect != "sqlite"
            if getattr(context.original_exception, "args", ())[:1] != (OF_COMMIT,):
                self.lost(self._found)
            raise self._found

    def mark(self, autocommit: bool, context: Any) -> None:
        """Mark the error of a connection that was lost before a COMMIT, which has no statement."""
        statement = context.statement
        if context.is_disconnect and statement and (not autocommit or statement.startswith("SELECT")):
            self.lost(context.chained_exception)

    def connect_later(self, engine: sa.Engine, error: BaseException) -> sa.Connection:
        """A connection, after the error of an attempt. Raises DBConnectionError when the time for that has passed."""
        while True:
            found = error if isinstance(error, db_errors.DBConnectionError) else db_errors.DBConnectionError(error)
            if not isinstance(error, sa.exc.TimeoutError):
                self.lost(found)
            wait(found)
            try:
                return engine.connect()
            except OF_CONNECTING as later:
                error = later

    def lost(self, error: BaseException) -> None:
        """Mark the error of a call that has committed nothing, and can be repeated for FAILOVER seconds in all."""
        if self._dialect != "sqlite" and getattr(error, "reason", ALONE) in OF_ONE_NODE:
            self.lost_at = since = self.lost_at or clock.monotonic()
            setattr(error, REPEATED_UNTIL, since + FAILOVER)

    @property
    def last(self) -> Unusable | None:
        """The failure of the last REPORTED seconds."""
        return self._found if clock.monotonic() - self._at < REPORTED else None


def wait(error: BaseException) -> None:
    """Wait before what raised the error is repeated; raises it if that is not to be repeated, or no longer."""
    if clock.monotonic() >= getattr(error, REPEATED_UNTIL, 0.0):
        raise error
    clock.sleep(INTERVAL)
