"""Indexes for every list that is filtered or sorted by status, name or size, and for metadata."""

import hashlib

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0004"
down_revision = "0003"

Time = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
#: Table -> (columns that its lists are filtered or sorted by, indexes that there are already).
LISTED = {
    "volumes": (("status", "name", "size"), ("project_id status", "project_id name", "project_id size")),
    "snapshots": (("status", "name", "size"), ()),
    "backups": (("status", "name", "size"), ()),
    "attachments": (("attach_status",), ()),
}
#: Shorter ones, for which the new ones stand.
REPLACED = {"snapshots": ("project_id_name",), "backups": ("project_id_name",), "labels": ("key_value",)}
LABELS = sa.table("labels", *(sa.column(name, sa.String) for name in (
    "resource_id", "key", "value", "pair", "project_id")), sa.column("created_at"))


def upgrade():
    for table, (columns, there) in LISTED.items():
        for words in (f"{whose}{column}" for column in columns for whose in ("project_id ", "")):
            if words not in there:
                _index(table, *words.split(), "created_at", "id")
    _index("attachments", "created_at", "id")
    _index("jobs", "project_id", "created_at", "id")
    with op.batch_alter_table("labels") as labels:
        labels.add_column(sa.Column("pair", sa.String(32), nullable=False, server_default=""))
        labels.add_column(sa.Column("project_id", sa.String(255), nullable=False, server_default=""))
        labels.add_column(sa.Column("created_at", Time, nullable=False, server_default="1970-01-01 00:00:00"))
    for kind in ("volume", "snapshot"):
        _fill(op.get_bind(), kind)
    _index("labels", "pair", "project_id", "created_at", "resource_id")
    _index("labels", "pair", "created_at", "resource_id")
    for table, names in REPLACED.items():
        for name in names:
            op.drop_index(f"ix_{table}_{name}", table)


def _index(table, *columns):
    op.create_index(f"ix_{table}_{'_'.join(columns)}", table, list(columns))


def _fill(connection, kind):
    """Give the labels of the resources that there are their digests and places, as db/metadata_index.py makes them."""
    if connection.dialect.name == "sqlite":
        connection.connection.dbapi_connection.create_function("md5", 1, _md5)
    resources = sa.table(f"{kind}s", *map(sa.column, ("id", "project_id", "created_at")))
    mine = resources.c.id == LABELS.c.resource_id
    text = sa.literal(f"{kind}\n") + LABELS.c.key + "\n" + LABELS.c.value
    connection.execute(sa.update(LABELS).where(sa.exists().where(mine)).values(
        pair=sa.func.md5(text),
        project_id=sa.select(resources.c.project_id).where(mine).scalar_subquery(),
        created_at=sa.select(resources.c.created_at).where(mine).scalar_subquery()))


def _md5(text):
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
