"""What was taken over from a Cinder's database."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade():
    op.create_table(
        "adopted",
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("id", sa.String(255), nullable=False),
        sa.PrimaryKeyConstraint("kind", "id", name="pk_adopted"),
        mysql_engine="InnoDB", mysql_charset="utf8mb4", mysql_collate="utf8mb4_bin")
