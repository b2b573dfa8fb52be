"""Migrations: bringing a database to the release's schema, and refusing to work with an older one."""

import os
import uuid

import sqlalchemy as sa

from cinder_lite import db, errors
from cinder_lite.db import schema

DIRECTORY = os.path.join(os.path.dirname(__file__), "migrations")


#: The revision of this release. A test holds it equal to the newest migration.
HEAD = "0010"


def current(database: db.Database) -> str | None:
    """The revision of the database; None for an empty one, and for a file that is not there and is not made by asking."""
    if db.is_missing(database.url):
        return None
    with database.read() as tx:
        if not sa.inspect(tx).has_table("alembic_version"):
            return None
        return tx.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()


def sync(database: db.Database, revision: str = "head") -> None:
    """Bring the database to the revision, and put in what every installation has."""
    # Imported here: daemons that only look at the revision do without it.
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
    """The type __DEFAULT__, which exists from the start and is the configured default."""
    types = schema.volume_types
    with database.write() as tx:
        if tx.execute(sa.select(types.c.id).limit(1)).first() is None:
            tx.execute(sa.insert(types).values(id=str(uuid.uuid4()), name="__DEFAULT__", is_public=True,
                                               description="Default Volume Type", extra_specs={}, created_at=db.now()))


def suffices(found: str | None, needed: str = HEAD) -> bool:
    """Whether this release (or what needs another revision) can work on a database of that one: its own, or a later one.

    Migrations only add, so that a release goes on with the database of the next one while services are upgraded.
    """
    return found is not None and found.isdigit() and int(found) >= int(needed)


def expect_current(database: db.Database) -> None:
    """Raise Misconfigured when the database has not been synced for this release."""
    found = current(database)
    if found is None:
        raise errors.Misconfigured("the database is empty: run 'cinder-lite-manage db sync' first")
    if not suffices(found):
        raise errors.Misconfigured(f"the database is at revision {found}, this release needs {HEAD}: run "
                                   "'cinder-lite-manage db sync'")
