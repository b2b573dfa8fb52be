"""The tables of the first release."""

from alembic import op

from cinder_lite.db import schema

revision = "0001"
down_revision = None


def upgrade():
    schema.METADATA.create_all(op.get_bind())
