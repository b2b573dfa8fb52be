"""Migrations are additive: a service of the former release works with the schema of the next."""

import types

import alembic.script
import pytest
import sqlalchemy as sa
from sqlalchemy import types as kinds

from cinder_lite import db
from cinder_lite.db import migrate

REVISIONS = [one.revision for one in reversed(list(alembic.script.ScriptDirectory(migrate.DIRECTORY).walk_revisions()))]


@pytest.fixture
def database(tmp_path):
    made = db.Database(types.SimpleNamespace(
        connection=f"sqlite:///{tmp_path}/test.sqlite", max_pool_size=5, max_overflow=5, pool_timeout=5,
        connection_recycle_time=3600))
    yield made
    made.dispose()


def schema(database):
    """{table: ({column: description}, uniqueness)} as the database has it."""
    with database.engine.connect() as connection:
        look = sa.inspect(connection)
        return {name: ({column["name"]: column for column in look.get_columns(name)}, _unique(look, name))
                for name in look.get_table_names() if name != "alembic_version"}


def _unique(look, name):
    found = [look.get_pk_constraint(name)["constrained_columns"]]
    found += [one["column_names"] for one in look.get_unique_constraints(name)]
    found += [one["column_names"] for one in look.get_indexes(name) if one["unique"]]
    return {tuple(columns) for columns in found}


def narrowed(before, after):
    """What the release before relied on and does not find any more, a line each."""
    for table, (columns, unique) in before.items():
        if table not in after:
            yield f"table {table} is gone"
            continue
        now, now_unique = after[table]
        yield from (f"{table}: {', '.join(one)} has become unique" for one in now_unique - unique)
        yield from (f"{table}.{name} is gone" for name in columns.keys() - now.keys())
        yield from (f"{table}.{name} must be given, but the release before does not know it"
                    for name in now.keys() - columns.keys() if not now[name]["nullable"]
                    and now[name]["default"] is None)
        for name in columns.keys() & now.keys():
            yield from (f"{table}.{name} {what}" for what in _changed(columns[name], now[name]))


def _changed(old, new):
    if old["nullable"] and not new["nullable"]:
        yield "may not be null any more"
    if old["default"] is not None and new["default"] is None and not new["nullable"]:
        yield "has lost its default"
    if old["type"]._type_affinity is not new["type"]._type_affinity and not (
            isinstance(old["type"], kinds.Integer) and isinstance(new["type"], kinds.BigInteger)):
        yield f"is {new['type']}, not {old['type']}"
    lengths = [getattr(one["type"], "length", None) for one in (old, new)]
    if lengths[1] is not None and (lengths[0] is None or lengths[1] < lengths[0]):
        yield f"holds {lengths[1]} characters, not {lengths[0]}"


@pytest.mark.parametrize("before,after", zip(REVISIONS, REVISIONS[1:], strict=False))
def test_a_migration_only_adds(database, before, after):
    migrate.sync(database, before)
    found = schema(database)
    migrate.sync(database, after)
    assert sorted(narrowed(found, schema(database))) == []


@pytest.mark.parametrize("statements,said", [
    (["DROP TABLE transfers"], ["table transfers is gone"]),
    (["ALTER TABLE transfers RENAME TO handovers"], ["table transfers is gone"]),
    (["ALTER TABLE jobs DROP COLUMN decision"], ["jobs.decision is gone"]),
    (["ALTER TABLE jobs RENAME COLUMN decision TO reasons"], ["jobs.decision is gone"]),
    (["ALTER TABLE jobs ADD COLUMN weight INTEGER NOT NULL DEFAULT 0"], []),
    (["ALTER TABLE jobs ADD COLUMN weight INTEGER"], []),
    (["DROP TABLE adopted", "CREATE TABLE adopted (kind VARCHAR(20) NOT NULL PRIMARY KEY, id VARCHAR(255) NOT NULL, "
      "since INTEGER NOT NULL)"],
     ["adopted.kind holds 20 characters, not 40",
      "adopted.since must be given, but the release before does not know it",
      "adopted: kind has become unique"]),
    (["DROP TABLE adopted",
      "CREATE TABLE adopted (kind VARCHAR(40) NOT NULL, id INTEGER NOT NULL, PRIMARY KEY(kind, id))"],
     ["adopted.id is INTEGER, not VARCHAR(255)"]),
    (["CREATE UNIQUE INDEX one_job ON jobs (resource_id)"], ["jobs: resource_id has become unique"]),
])
def test_what_takes_away_is_found(database, statements, said):
    migrate.sync(database)
    found = schema(database)
    with database.write() as tx:
        for statement in statements:
            tx.execute(sa.text(statement))
    assert sorted(narrowed(found, schema(database))) == said
