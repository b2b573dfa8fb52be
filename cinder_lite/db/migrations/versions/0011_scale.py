"""Indexes by which measurements of pools and purges of messages read only the rows that they need."""

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade():
    op.create_index("ix_volumes_host_launched_at", "volumes", ["host", "launched_at"])
    op.drop_index("ix_volumes_host", "volumes")
    op.create_index("ix_messages_expires_at", "messages", ["expires_at"])
    op.create_index("ix_messages_created_at", "messages", ["created_at"])
