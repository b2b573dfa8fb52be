"""Connections of volumes to hosts, each with a secret of its own."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0008"
down_revision = "0007"


def upgrade():
    time = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
    op.create_table(
        "connections",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("volume_id", sa.String(36), nullable=False),
        sa.Column("attachment_id", sa.String(36)),
        sa.Column("backend", sa.String(255), nullable=False),
        sa.Column("host", sa.String(255)),
        sa.Column("initiator", sa.String(255)),
        sa.Column("initialized", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("joined", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("read_only", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("export_name", sa.String(255)),
        sa.Column("location", sa.Text),
        sa.Column("auth", sa.Text),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("generation", sa.Integer, nullable=False, server_default="1"),
        sa.Column("created_at", time, nullable=False),
        sa.Column("updated_at", time),
        sa.PrimaryKeyConstraint("id", name="pk_connections"),
        mysql_engine="InnoDB", mysql_charset="utf8mb4", mysql_collate="utf8mb4_bin")
    for columns in (("volume_id",), ("attachment_id",), ("backend", "state")):
        op.create_index(f"ix_connections_{'_'.join(columns)}", "connections", list(columns))
