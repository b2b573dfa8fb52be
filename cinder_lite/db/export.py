"""Reads and writes all rows of the database in a form for any of the supported databases."""

import datetime
from collections.abc import Iterable, Iterator
from typing import Any

import sqlalchemy as sa

from cinder_lite import db
from cinder_lite.db import audit, schema

PAGE = 500
TABLES = schema.METADATA.sorted_tables
#: Tables that db sync inserts rows into.
SYNCED = (schema.volume_types, schema.group_types)


def rows(database: db.Database) -> Iterator[tuple[str, dict[str, Any]]]:
    """(table, row as plain values) of all tables, as of one moment."""
    with audit.moment(database) as tx:
        for table in TABLES:
            query = sa.select(table).order_by(*table.primary_key.columns).execution_options(yield_per=PAGE)
            for row in tx.execute(query):
                yield str(table.name), {str(name): _plain(value) for name, value in row._mapping.items()}


def _plain(value):
    return value.isoformat(timespec="microseconds") if isinstance(value, datetime.datetime) else value


def is_empty(tx: db.Transaction) -> bool:
    """Whether there are no rows besides those of db sync."""
    return not any(tx.execute(sa.select(sa.exists().select_from(table))).scalar()
                   for table in TABLES if table not in SYNCED)


def restore(tx: db.Transaction, found: Iterable[tuple[str, dict[str, Any]]]) -> dict[str, int]:
    """Insert the result of rows() into the empty tables. Returns {table: number of rows}."""
    counts: dict[str, int] = {}
    waiting: dict[str, list[dict[str, Any]]] = {}
    for table in SYNCED:
        tx.execute(sa.delete(table))
    for name, row in found:
        waiting.setdefault(name, []).append(_typed(schema.METADATA.tables[name], row))
        if len(waiting[name]) == PAGE:
            _insert(tx, name, waiting.pop(name), counts)
    for name, some in waiting.items():
        _insert(tx, name, some, counts)
    if tx.dialect.name == "postgresql":
        # Explicit ids do not advance the sequence.
        tx.execute(sa.text("SELECT setval(pg_get_serial_sequence('services', 'id'), "
                           "(SELECT coalesce(max(id), 0) + 1 FROM services), false)"))
    return counts


def _typed(table, row):
    times = {column.name for column in table.c if isinstance(column.type, sa.DateTime)}
    return {name: datetime.datetime.fromisoformat(value) if value and name in times else value
            for name, value in row.items()}


def _insert(tx, name, some, counts):
    tx.execute(sa.insert(schema.METADATA.tables[name]), some)
    counts[name] = counts.get(name, 0) + len(some)
