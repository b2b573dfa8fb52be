"""Upgrades the schema, and determines whether this release can work with the schema of a database."""

import os

import sqlalchemy as sa

from cinder_lite import db, errors
from cinder_lite.concurrency import randomness
from cinder_lite.db import engines, schema

DIRECTORY = os.path.join(os.path.dirname(__file__), "migrations")
#: The revision of this release. A test holds it equal to the newest migration.
HEAD = "0012"


def current(database: db.Database) -> str | None:
    """The revision of the database; None for an empty one and for a file that does not exist, which is not created."""
    if engines.is_missing(database.url):
        return None
    with database.read() as tx:
        if not tx.dialect.delete_returning:
            raise errors.Misconfigured(f"the database server is {_server(tx)}, which lacks DELETE ... RETURNING: use "
                                       "MariaDB 10.5 or later, PostgreSQL, or SQLite 3.35 or later")
        if not sa.inspect(tx).has_table("alembic_version"):
            return None
        return tx.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()


def _server(tx):
    name = "SQLite" if tx.dialect.name == "sqlite" else "MariaDB" if tx.dialect.is_mariadb else "MySQL"
    return f"{name} {'.'.join(map(str, tx.dialect.server_version_info))}"


def sync(database: db.Database, revision: str = "head") -> None:
    """Upgrade the schema to the revision, and insert the default volume type."""
    current(database)
    # Imported here: daemons only read the revision and do not need alembic.
    import alembic.command
    import alembic.config

    config = alembic.config.Config()
    config.set_main_option("script_location", DIRECTORY)
    with database.engine.connect() as connection:
        config.attributes["connection"] = connection
        alembic.command.upgrade(config, revision)
        connection.commit()
    _first_type(database)


def _first_type(database):
    """Insert the volume type __DEFAULT__, the configured default, if there is no type."""
    types = schema.volume_types
    with database.write() as tx:
        if tx.execute(sa.select(types.c.id).limit(1)).first() is None:
            tx.execute(sa.insert(types).values(id=randomness.new_id(), name="__DEFAULT__", is_public=True,
                                               description="Default Volume Type", extra_specs={}, created_at=db.now()))


def suffices(found: str | None, needed: str = HEAD) -> bool:
    """Whether software that needs the revision `needed` can work with a database of revision `found`.

    Migrations only add to the schema, so that a release works with the schema of the next one during an upgrade.
    """
    return found is not None and found.isdigit() and int(found) >= int(needed)


def expect_current(database: db.Database) -> None:
    """Raise Misconfigured unless this release can work with the schema."""
    found = current(database)
    if found is None:
        raise errors.Misconfigured("the database is empty: run 'cinder-lite-manage db sync' first")
    if not suffices(found):
        raise errors.Misconfigured(f"the database is at revision {found}, this release needs {HEAD}: run "
                                   "'cinder-lite-manage db sync'")
