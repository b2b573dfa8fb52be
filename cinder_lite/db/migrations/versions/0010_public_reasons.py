"""Reasons in two texts: for administrators, and for members, who see no hosts, pools and capacities."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0010"
down_revision = "0008"


def upgrade():
    long_text = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
    op.add_column("jobs", sa.Column("public_error", sa.Text, nullable=True))
    op.add_column("messages", sa.Column("details", long_text, nullable=True))
