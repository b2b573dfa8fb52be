"""Inserts rows into every table, with a value in every column."""

import datetime
import random

import sqlalchemy as sa

from cinder_lite.db import schema

ROWS = 3


def fill(database, rows=ROWS):
    """Make the rows. The same in every database."""
    rng = random.Random(20261127)
    with database.write() as tx:
        for table in schema.METADATA.sorted_tables:
            tx.execute(sa.insert(table), [{
                column.name: None if column.nullable and number == 0 else _value(column, number, rng)
                for column in table.c if column.autoincrement is not True} for number in range(rows)])


def _value(column, number, rng):
    kind = column.type
    if isinstance(kind, sa.Boolean):
        return bool(number % 2)
    if isinstance(kind, sa.DateTime):
        return datetime.datetime(2026, 11, 27, 1, 2, number % 60, rng.randrange(1_000_000))
    if isinstance(kind, sa.JSON):
        return {"a": [1, None, "ü"], "b": {"c": 1.5, "n": number}}
    if isinstance(kind, sa.Integer):
        return (2**40 if isinstance(kind, sa.BigInteger) else 2**30) + number
    if isinstance(kind, sa.Double):
        return number + 0.125
    text = f"{number} {column.name} 'ä\"\\\n☃ " + "x" * 300
    return text[:kind.length or 300]
