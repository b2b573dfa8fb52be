"""Volumes belong to services; there is the group type of consistency groups."""

import datetime
import uuid

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0005"

services = sa.table("services", sa.column("uuid"), sa.column("binary"), sa.column("host"))
volumes = sa.table("volumes", sa.column("host"), sa.column("service_uuid"), sa.column("shared_targets"))

group_types = sa.table(
    "group_types", sa.column("id"), sa.column("name"), sa.column("description"), sa.column("is_public"),
    sa.column("group_specs", sa.JSON), sa.column("created_at", sa.DateTime))
LEGACY_TYPE = "default_cgsnapshot_type"


def upgrade():
    connection = op.get_bind()
    _own(connection)
    _make_group_type(connection)


def _own(connection):
    for service_uuid, host in connection.execute(sa.select(services.c.uuid, services.c.host).where(
            services.c.binary == "cinder-volume")).all():
        connection.execute(sa.update(volumes).where(
            volumes.c.host.startswith(f"{host}#", autoescape=True), volumes.c.service_uuid.is_(None)).values(
                service_uuid=service_uuid, shared_targets=sa.false()))


def _make_group_type(connection):
    """Once, as Cinder's first migration does: who deletes it afterwards has deleted it."""
    if connection.execute(sa.select(group_types.c.id).where(group_types.c.name == LEGACY_TYPE)).first() is None:
        connection.execute(sa.insert(group_types).values(
            id=str(uuid.uuid4()), name=LEGACY_TYPE, description="The type of all consistency groups",
            is_public=sa.true(), group_specs={"consistent_group_snapshot_enabled": "<is> True"},
            created_at=datetime.datetime.now(datetime.UTC).replace(tzinfo=None)))
