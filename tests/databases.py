"""Databases of tests that need no service."""

import contextlib
import types

from cinder_lite import db
from cinder_lite.db import migrate


@contextlib.contextmanager
def synced(directory):
    """An SQLite database in a directory, with the schema of this release."""
    made = db.Database(types.SimpleNamespace(
        connection=f"sqlite:///{directory}/test.sqlite", max_pool_size=5, max_overflow=5, pool_timeout=5,
        connection_recycle_time=3600))
    migrate.sync(made)
    yield made
    made.dispose()
