"""Volumes belong to services."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0005"

services = sa.table("services", sa.column("uuid"), sa.column("binary"), sa.column("host"))
volumes = sa.table("volumes", sa.column("host"), sa.column("service_uuid"), sa.column("shared_targets"))


def upgrade():
    connection = op.get_bind()
    for uuid, host in connection.execute(sa.select(services.c.uuid, services.c.host).where(
            services.c.binary == "cinder-volume")).all():
        connection.execute(sa.update(volumes).where(
            volumes.c.host.startswith(f"{host}#", autoescape=True), volumes.c.service_uuid.is_(None)).values(
                service_uuid=uuid, shared_targets=sa.false()))
