"""The database of a world: SQLite in a file, seen through connections that may break, with one writer at a time."""

import contextlib
import functools
import re

import greenlet
import sqlalchemy as sa
from eventlet import hubs
from oslo_db import exception as db_errors

from tests.simulation import world

#: The longest time, in seconds, that a statement takes to reach the database, and its result to come back.
STATEMENT = 0.002
#: What a fault does to a statement: its connection is lost before or after it was executed.
LOST_BEFORE, LOST_AFTER = "connection lost before", "connection lost after"


@functools.cache
def written(statement):
    """The table that a statement changes, "" for a SELECT."""
    found = re.match(r'(?:INSERT(?: OR \w+)? INTO|UPDATE(?: OR \w+)?|DELETE FROM)\s+"?(\w+)', statement)
    return found[1] if found else ""


class Server:
    """The database server. It owns the writer's lock, so that a second writer waits as a thread and blocks nobody."""

    def __init__(self, here):
        self.world, self.writer, self._waiting = here, None, []
        self._dialect = self._compiled = None
        #: The tables that the present transaction has changed.
        self.changed = set()
        #: function(tables): called after each commit, with those that it changed.
        self.committed = lambda tables: None

    def serve(self, engines, on):
        """Connect the engines of a node."""
        for engine in engines:
            # Statements are compiled once for all nodes.
            if self._dialect is None:
                self._dialect, self._compiled = engine.dialect, engine._compiled_cache
                self._compiled.capacity = 5000
            engine.dialect = engine.pool._dialect = self._dialect
            engine._compiled_cache = self._compiled
            sa.event.listen(engine, "before_cursor_execute", self._before)
            sa.event.listen(engine, "after_cursor_execute", self._after)
        on.when_killed.append(lambda: self._end_of(on))

    def _before(self, connection, _cursor, statement, parameters, _context, _many):
        if statement.startswith("PRAGMA"):
            return
        fault = self._reach(statement, parameters)
        if fault == LOST_BEFORE:
            self._roll_back(connection)
            raise db_errors.DBConnectionError(Exception("simulated: the connection was lost"))
        if statement == "BEGIN IMMEDIATE":
            self._acquire(connection)
        connection.info["lost after"] = fault == LOST_AFTER

    def _reach(self, statement, parameters):
        self.world.fault = None
        self.world.reach("statement", STATEMENT, statement, parameters)
        on = world.node()
        return LOST_BEFORE if on is not None and self.world.cut(on.host) else self.world.fault

    def _after(self, connection, cursor, statement, _parameters, _context, _many):
        if cursor.rowcount > 0:
            self.changed.add(written(statement))
        if statement.startswith(("COMMIT", "ROLLBACK")):
            self._release(connection)
            if statement == "COMMIT":
                tables, self.changed = self.changed, set()
                self.committed(tables)
        if connection.info.pop("lost after", False):
            self._roll_back(connection)
            raise db_errors.DBConnectionError(Exception("simulated: the connection was lost"))
        if statement == "COMMIT":
            self.world.reach("committed", STATEMENT)

    def _acquire(self, connection):
        mine = world.node()
        while self.writer is not None:
            self._waiting.append(greenlet.getcurrent())
            hubs.get_hub().switch()
        self.writer = mine, connection.connection.dbapi_connection

    def _release(self, connection):
        if self.writer is not None and self.writer[1] is connection.connection.dbapi_connection:
            self._free()

    def _free(self):
        self.writer = None
        waiting = [one for one in self._waiting if one.node is None or one.node.alive]
        if waiting:
            chosen = self.world.rng.choice(waiting)
            waiting.remove(chosen)
            hubs.get_hub().schedule_call_global(0, chosen.switch)
        self._waiting = waiting

    def _roll_back(self, connection):
        raw = connection.connection.dbapi_connection
        with contextlib.suppress(Exception):
            raw.rollback()
        self._release(connection)

    def _end_of(self, on):
        """The node was killed: its transaction is rolled back."""
        self._waiting = [one for one in self._waiting if one.node is not on]
        if self.writer is not None and self.writer[0] is on:
            self.writer[1].rollback()
            self._free()
