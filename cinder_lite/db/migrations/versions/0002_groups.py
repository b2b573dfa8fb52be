"""QoS specs, encryption of types, transfers, groups and their snapshots."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0002"
down_revision = "0001"

METADATA = sa.MetaData(naming_convention={
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
})

Time = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
Id = sa.String(36)
Name = sa.String(255)


def _table(name, *columns):
    return sa.Table(name, METADATA, *columns, mysql_engine="InnoDB", mysql_charset="utf8mb4",
                    mysql_collate="utf8mb4_bin")


def _json(name):
    """A small document, never null, {} by default: what is shown whole and not searched."""
    return sa.Column(name, sa.JSON, nullable=False)


def _flag(name, default):
    return sa.Column(name, sa.Boolean, nullable=False, server_default=sa.true() if default else sa.false())


def _born():
    return [sa.Column("created_at", Time, nullable=False), sa.Column("updated_at", Time)]


qos_specs = _table(
    "qos_specs",
    sa.Column("id", Id, primary_key=True),
    sa.Column("name", Name, nullable=False, unique=True),
    sa.Column("consumer", sa.String(20), nullable=False),
    _json("specs"),
    *_born(),
)

transfers = _table(
    "transfers",
    sa.Column("id", Id, primary_key=True),
    sa.Column("volume_id", Id, nullable=False, unique=True),
    sa.Column("project_id", Name, nullable=False),
    sa.Column("name", Name),
    sa.Column("salt", sa.String(64), nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    _flag("no_snapshots", False),
    *_born(),
    sa.Index(None, "project_id", "created_at", "id"),
)

group_types = _table(
    "group_types",
    sa.Column("id", Id, primary_key=True),
    sa.Column("name", Name, nullable=False, unique=True),
    sa.Column("description", Name),
    _flag("is_public", True),
    _json("group_specs"),
    *_born(),
)

groups = _table(
    "volume_groups",
    sa.Column("id", Id, primary_key=True),
    sa.Column("project_id", Name, nullable=False),
    sa.Column("user_id", Name, nullable=False),
    sa.Column("name", Name),
    sa.Column("description", Name),
    sa.Column("status", sa.String(40), nullable=False),
    sa.Column("previous_status", sa.String(40)),
    sa.Column("host", Name),
    sa.Column("availability_zone", Name),
    sa.Column("group_type_id", Id, nullable=False),
    _json("volume_types"),
    sa.Column("group_snapshot_id", Id),
    sa.Column("source_group_id", Id),
    *_born(),
    sa.Index(None, "project_id", "created_at", "id"),
    sa.Index(None, "group_type_id"),
)

group_snapshots = _table(
    "group_snapshots",
    sa.Column("id", Id, primary_key=True),
    sa.Column("project_id", Name, nullable=False),
    sa.Column("user_id", Name, nullable=False),
    sa.Column("group_id", Id, nullable=False),
    sa.Column("group_type_id", Id, nullable=False),
    sa.Column("name", Name),
    sa.Column("description", Name),
    sa.Column("status", sa.String(40), nullable=False),
    sa.Column("previous_status", sa.String(40)),
    *_born(),
    sa.Index(None, "project_id", "created_at", "id"),
    sa.Index(None, "group_id"),
)


def upgrade():
    METADATA.create_all(op.get_bind())
    op.add_column("volume_types", sa.Column("encryption", sa.JSON(none_as_null=True)))
    op.drop_index("ix_volumes_project_id_name", "volumes")
    for by in ("name", "size"):
        op.create_index(f"ix_volumes_project_id_{by}_created_at_id", "volumes", ["project_id", by, "created_at", "id"])
    for table, column in (
            ("volume_types", "qos_specs_id"), ("volumes", "group_id"), ("snapshots", "group_snapshot_id")):
        op.create_index(f"ix_{table}_{column}", table, [column])
