"""Records the SQL statements of requests to a service from MariaDB's general log, as templates for other ids and times.

Each request is recorded twice with different resources. UUIDs that differ become slots: `in0` and so on are those of
the request, `out` is the id in the response, `new0` and so on were inserted first and are made anew by a replay, and
any other is the `volume_id` of a row that was read before.
"""

import collections
import contextlib
import dataclasses
import datetime
import json
import os
import re

import mem

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
TIME = re.compile(r"20\d\d-\d\d-\d\d[ T]\d\d:\d\d:\d\d\.\d{6}")
LITERAL = re.compile(r"'(?:[^'\\]|\\.|'')*'")
#: The statements that a service executes without a request: heartbeats, renewals of leases, sweeps.
BACKGROUND = re.compile(r"UPDATE services|SELECT jobs\.id\s+FROM jobs|UPDATE jobs SET (lease_until|progress)|"
                        r"SELECT DISTINCT connections\.volume_id|(INSERT INTO|UPDATE|DELETE FROM) pools")
ENDS = ("COMMIT", "ROLLBACK")
#: The name of what a recorded request makes, in whose place a replay puts that of the request.
NAME = "recorded-by-the-floor"


@dataclasses.dataclass(frozen=True)
class Unit:
    """A transaction, or one statement outside of any, of the process `role`."""

    role: str
    writes: bool
    statements: list


def key(method, path, body):
    """The name of a request: its method and path without ids, its action, and the kind of its source."""
    words = [method, UUID.sub("{id}", path)]
    if body:
        inside = next(iter(body.values()))
        words += [next(iter(body))] if path.endswith("/action") else []
        words += [name for name in ("snapshot_id", "source_volid") if isinstance(inside, dict) and inside.get(name)]
    return " ".join(words)


def ids(path, body):
    """The UUIDs of a request."""
    return UUID.findall(path) + UUID.findall(json.dumps(body) if body else "")


class Log:
    """MariaDB's general log; `processes` is {role: pid of the tree that has the connections}."""

    def __init__(self, mariadb, processes):
        self._connection = mariadb.connect()
        self._port, self._processes = mariadb.port, processes
        self.query("SET GLOBAL log_output = 'TABLE'")

    def query(self, text):
        with self._connection.cursor() as cursor:
            cursor.execute(text)
            return cursor.fetchall()

    @contextlib.contextmanager
    def recorded(self):
        """Yields a list that has the Units of a block after it."""
        self.query("TRUNCATE mysql.general_log")
        self.query("SET GLOBAL general_log = 1")
        units = []
        try:
            yield units
        finally:
            self.query("SET GLOBAL general_log = 0")
        roles = self._roles()
        lines = self.query("SELECT thread_id, argument FROM mysql.general_log WHERE command_type = 'Query' "
                           "ORDER BY event_time")
        text = [(roles[thread], line.decode() if isinstance(line, bytes) else line, thread)
                for thread, line in lines if thread in roles]
        units += units_of(text)

    def _roles(self):
        """{id of a connection: role}."""
        sockets = _sockets(self._port)
        ports = {port: role for role, pid in self._processes.items() for port in _ports(pid, sockets)}
        return {id: ports[int(host.rpartition(":")[2])] for id, host in self.query(
            "SELECT ID, HOST FROM information_schema.PROCESSLIST") if int(host.rpartition(":")[2] or 0) in ports}


def _sockets(server_port):
    """{inode: local port} of the TCP connections to a port."""
    found = {}
    with open("/proc/net/tcp") as table:
        for line in list(table)[1:]:
            fields = line.split()
            if int(fields[2].partition(":")[2], 16) == server_port:
                found[fields[9]] = int(fields[1].partition(":")[2], 16)
    return found


def _ports(pid, sockets):
    for process in mem.tree(pid):
        for name in os.listdir(f"/proc/{process}/fd"):
            with contextlib.suppress(OSError):
                inode = os.readlink(f"/proc/{process}/fd/{name}").removeprefix("socket:[").rstrip("]")
                if inode in sockets:
                    yield sockets[inode]


def units_of(lines):
    """Units in the order of their first statements; those of no request are left out."""
    closing = collections.Counter(thread for _, text, thread in lines if text in ENDS)
    begun, done = {}, []
    for role, text, thread in lines:
        if text in ENDS:
            closing[thread] -= 1
            begun.pop(thread, None)
        elif thread in begun:
            begun[thread].statements.append(text)
        else:
            unit = Unit(role, closing[thread] > 0, [text])
            done.append(unit)
            if unit.writes:
                begun[thread] = unit
    return [unit for unit in done if not BACKGROUND.match(unit.statements[0])]


def skeleton(units):
    """What two recordings of a request have in common."""
    return [(unit.role, unit.writes, [TIME.sub("T", UUID.sub("U", text)) for text in unit.statements])
            for unit in units]


def templates(first, second, names):
    """The units of two recordings as JSON. `names` is {(id in the first, id in the second): slot}."""
    began, slots = None, dict(names)
    result = []
    for one, other in zip(first, second, strict=True):
        statements = []
        for text, twin in zip(one.statements, other.statements, strict=True):
            for pair in zip(UUID.findall(text), UUID.findall(twin), strict=True):
                if pair[0] != pair[1] and pair not in slots:
                    slots[pair] = f"new{len(slots)}" if text.startswith("INSERT") else "volume_id"
            times = [datetime.datetime.fromisoformat(found) for found in TIME.findall(text)]
            began = began or (times[0] if times else None)
            statements.append(_template(text, {pair[0]: slot for pair, slot in slots.items()}, began))
        result.append({"role": one.role, "writes": one.writes, "statements": statements})
    return result


def _template(text, slots, began):
    """(statement with %s, templates of its parameters): in these `{slot}` is an id and `{+N}` the time in N seconds."""
    parameters = []

    def take(match):
        literal = match.group()
        inner = literal[1:-1].replace("\\\"", '"').replace("\\'", "'").replace("\\\\", "\\")
        if inner == NAME:
            parameters.append(["", "name", ""])
            return "%s"
        changed = UUID.sub(lambda id: f"\0{slots[id.group()]}\0" if id.group() in slots else id.group(), inner)
        changed = TIME.sub(lambda found: f"\0+{_seconds(found.group(), began)}\0", changed)
        if changed == inner:
            return literal.replace("%", "%%")
        parameters.append(changed.split("\0"))
        return "%s"

    parts, end = [], 0
    for match in LITERAL.finditer(text):
        parts += [text[end:match.start()].replace("%", "%%"), take(match)]
        end = match.end()
    return "".join([*parts, text[end:].replace("%", "%%")]), parameters


def _seconds(text, began):
    return round((datetime.datetime.fromisoformat(text) - began).total_seconds()) if began else 0
