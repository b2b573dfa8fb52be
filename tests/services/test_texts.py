"""Strings of maximum length, and texts of any length from the service, in each database."""

import types

import pytest
import sqlalchemy as sa

from cinder_lite import db
from cinder_lite.db import migrate, schema, texts

#: Four bytes in UTF-8.
WIDE = "\N{GRINNING FACE}"


@pytest.fixture(params=("sqlite", "mariadb", "postgresql"), scope="module")
def empty(request, tmp_path_factory):
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('texts')}/cinder.sqlite"
    else:
        server = request.getfixturevalue(request.param)
        server.emptied()
        url = server.url
    database = db.Database(types.SimpleNamespace(
        connection=url, max_pool_size=1, max_overflow=0, pool_timeout=5, connection_recycle_time=3600))
    migrate.sync(database)
    yield database
    database.dispose()


def _row(table, text_of):
    row = {}
    for column in table.c:
        kind = column.type
        if column.autoincrement is True:
            continue
        if isinstance(kind, texts.FreeText | sa.String | sa.Text):
            row[column.name] = text_of(column)
        elif isinstance(kind, sa.JSON):
            row[column.name] = {"a": WIDE * 20_000}
        elif isinstance(kind, sa.DateTime):
            row[column.name] = db.now()
        else:
            row[column.name] = 1
    return row


def _longest(column):
    length = getattr(column.type, "length", None)
    return WIDE * (length or texts.LONGEST_TEXT)


@pytest.mark.parametrize("table", schema.METADATA.sorted_tables, ids=lambda table: table.name)
def test_every_column_keeps_the_longest_text_that_it_may_have(empty, table):
    row = _row(table, _longest)
    with empty.write() as tx:
        tx.execute(sa.delete(table))
        tx.execute(sa.insert(table).values(**row))
        kept = tx.execute(sa.select(table)).one()._asdict()
    for name, value in row.items():
        if isinstance(value, str | dict):
            assert kept[name] == value, name


@pytest.mark.parametrize("text", [
    "x" * 70_000, WIDE * 70_000, "\N{EURO SIGN}" * 20_000, "a\0b", "half of \ud83d a pair", "x" * 14_999, "x" * 15_001,
    WIDE * 15_000])
def test_a_reason_of_any_form_can_be_written(empty, text):
    columns = [column for table in schema.METADATA.sorted_tables for column in table.c
               if isinstance(column.type, texts.FreeText)]
    assert {"error", "fail_reason", "user_message", "backend_reason"} <= {column.name for column in columns}
    for column in columns:
        table = column.table
        row = _row(table, lambda other, column=column: text if other is column else "1")
        with empty.write() as tx:
            tx.execute(sa.delete(table))
            tx.execute(sa.insert(table).values(**row))
            kept = tx.execute(sa.select(column)).scalar()
        assert len(kept) <= texts.LONGEST_TEXT and len(kept.encode()) < 65_536, column
        assert kept[:5] == text[:5].replace("\0", "\N{REPLACEMENT CHARACTER}")
