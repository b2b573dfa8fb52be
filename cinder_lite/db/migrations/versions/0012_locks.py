"""The lock by which a process has the name of a service: on which machine, since which boot, and by which file."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade():
    op.add_column("services", sa.Column("lock_id", sa.String(255)))
