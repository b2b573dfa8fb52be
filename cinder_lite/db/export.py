"""All rows of a database in a form that any of the databases takes: for export, restore and a change of database."""

import datetime
from collections.abc import Iterable, Iterator
from typing import Any

import sqlalchemy as sa

from cinder_lite import db
from cinder_lite.db import audit, schema

PAGE = 500
TABLES = schema.METADATA.sorted_tables
#: What db sync puts in.
MADE = (schema.volume_types, schema.group_types)


def rows(database: db.Database) -> Iterator[tuple[str, dict[str, Any]]]:
    """(table, row as plain values) of everything, as it was at one moment."""
    with audit.moment(database) as tx:
        for table in TABLES:
            query = sa.select(table).order_by(*table.primary_key.columns).execution_options(yield_per=PAGE)
            for row in tx.execute(query):
                yield str(table.name), {str(name): _plain(value) for name, value in row._mapping.items()}


def _plain(value):
    return value.isoformat(timespec="microseconds") if isinstance(value, datetime.datetime) else value


def is_empty(tx: db.Transaction) -> bool:
    """Whether there is nothing but what db sync makes."""
    return not any(tx.execute(sa.select(sa.exists().select_from(table))).scalar() for table in TABLES if table not in MADE)


def fill(tx: db.Transaction, found: Iterable[tuple[str, dict[str, Any]]]) -> dict[str, int]:
    """Put what `rows` gave into the empty tables. Returns {table: number of rows}."""
    counts: dict[str, int] = {}
    waiting: dict[str, list[dict[str, Any]]] = {}
    for table in MADE:
        tx.execute(sa.delete(table))
    for name, row in found:
        waiting.setdefault(name, []).append(_typed(schema.METADATA.tables[name], row))
        if len(waiting[name]) == PAGE:
            _insert(tx, name, waiting.pop(name), counts)
    for name, some in waiting.items():
        _insert(tx, name, some, counts)
    if tx.dialect.name == "postgresql":
        # Numbers that are given do not move the sequence which gives them.
        tx.execute(sa.text("SELECT setval(pg_get_serial_sequence('services', 'id'), "
                           "(SELECT coalesce(max(id), 0) + 1 FROM services), false)"))
    return counts


def _typed(table, row):
    return {name: datetime.datetime.fromisoformat(value) if value and isinstance(table.c[name].type, sa.DateTime) else value
            for name, value in row.items()}


def _insert(tx, name, some, counts):
    tx.execute(sa.insert(schema.METADATA.tables[name]), some)
    counts[name] = counts.get(name, 0) + len(some)
