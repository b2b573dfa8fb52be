"""Replays recorded statements on a database, with other ids and the present time."""

import datetime
import json
import os

import sqlalchemy as sa

#: Errors of MariaDB after which a transaction is repeated: a deadlock, a wait for a lock that was too long.
REPEATED = (1213, 1205)


class Player:
    """The recorded operations of one role, on connections like those of cinder-lite."""

    def __init__(self, url, operations, role):
        self.operations = {name: [_Unit(unit) for unit in one["units"] if unit["role"] == role]
                           for name, one in operations.items()}
        self._reading, self._writing = (sa.create_engine(
            url, isolation_level=level, pool_reset_on_return=None, pool_size=30, max_overflow=50,
            connect_args={"ssl_disabled": True} if "pymysql" in url else {})
            for level in ("AUTOCOMMIT", "READ COMMITTED"))

    def play(self, name, slots, begin=0, end=None):
        """Execute the units of an operation, which may fill slots. Returns the rows of the last, as dicts."""
        rows = []
        for unit in self.operations[name][begin:end]:
            rows = self._transact(unit, slots) if unit.writes else self._run(self._reading, unit, slots)
        return rows

    def count(self, table):
        """The number of rows of a table."""
        with self._reading.connect() as connection:
            return connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar()

    def _transact(self, unit, slots):
        while True:
            connection = self._writing.raw_connection()
            try:
                rows = _execute(connection, unit, slots)
                connection.commit()
                return rows
            except Exception as error:
                connection.rollback()
                if not error.args or error.args[0] not in REPEATED:
                    raise
            finally:
                connection.close()

    @staticmethod
    def _run(engine, unit, slots):
        connection = engine.raw_connection()
        try:
            return _execute(connection, unit, slots)
        finally:
            connection.close()


class _Unit:
    def __init__(self, unit):
        self.writes = unit["writes"]
        self.statements = [(text, parameters or None) for text, parameters in unit["statements"]]
        if not all(parameters for _, parameters in self.statements):
            # Without parameters a driver does not replace %%.
            self.statements = [(text if parameters else text.replace("%%", "%"), parameters)
                               for text, parameters in self.statements]


def _execute(connection, unit, slots):
    cursor = connection.cursor()
    rows = []
    for text, parameters in unit.statements:
        cursor.execute(text, parameters and [_value(parts, slots) for parts in parameters])
        if cursor.description:
            names = [column[0] for column in cursor.description]
            rows = [dict(zip(names, row)) for row in cursor.fetchall()]
            if rows and "volume_id" in rows[0]:
                slots["volume_id"] = rows[0]["volume_id"]
    cursor.close()
    return rows


def _value(parts, slots):
    """A parameter: every second part is the name of a slot, or +SECONDS from now."""
    if len(parts) == 3 and not parts[0] and not parts[2]:
        return _slot(parts[1], slots)
    return "".join(str(_slot(part, slots)) if index % 2 else part for index, part in enumerate(parts))


def _slot(name, slots):
    if name[0] == "+":
        return datetime.datetime.now(datetime.UTC).replace(tzinfo=None) + datetime.timedelta(seconds=int(name[1:]))
    if name not in slots:
        slots[name] = new_id()
    return slots[name]


def new_id():
    """A random UUID."""
    text = os.urandom(16).hex()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"


def settings(path):
    """What the processes of the floor share: database, broker, operations and so on (see peer.py)."""
    with open(path) as file:
        return json.load(file)


def is_create(name):
    """Whether an operation makes a volume."""
    return name.startswith("POST /volumes") and "{id}" not in name
