"""Runs migrations on the connection that cinder_lite.db.migrate hands over."""

from alembic import context

from cinder_lite.db import schema

context.configure(connection=context.config.attributes["connection"], target_metadata=schema.METADATA,
                  transactional_ddl=False)
context.run_migrations()
