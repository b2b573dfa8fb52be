"""Reads, lists and filters the rows of volumes. Only the lifecycle engine changes statuses."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from cinder_lite import context, db, errors, states
from cinder_lite.db import listing, schema

#: The id of the fixed key of an installation without a key manager.
FIXED_KEY = "00000000-0000-0000-0000-000000000000"

V, T, L, Q = schema.volumes, schema.volume_types, schema.metadata_index, schema.qos_specs

WITH_TYPE = V.outerjoin(T, V.c.volume_type_id == T.c.id).outerjoin(Q, T.c.qos_specs_id == Q.c.id)
#: A volume with the name, specs and QoS spec of its type, for views and drivers.
ROW = sa.select(V, T.c.name.label("type_name"), T.c.extra_specs.label("type_extra_specs"),
                T.c.encryption.label("type_encryption"), T.c.qos_specs_id.label("type_qos_id"),
                Q.c.consumer.label("type_qos_consumer"), Q.c.specs.label("type_qos_specs")).select_from(
    WITH_TYPE)
_OF_TYPE = sa.select(Q.c.consumer).join(T, T.c.qos_specs_id == Q.c.id).where(T.c.id == V.c.volume_type_id)
#: The QoS spec of a volume's type, as in ROW, beside a locked row of the table of volumes.
QOS = (_OF_TYPE.scalar_subquery().label("type_qos_consumer"),
       _OF_TYPE.with_only_columns(Q.c.specs).scalar_subquery().label("type_qos_specs"))
#: The columns that responses show.
SHOWN = sa.select(
    *(column for column in V.c if column.name not in (
        "facts", "export", "previous_status", "backup_id", "counted", "launched_at")),
    T.c.name.label("type_name")).select_from(V.outerjoin(T, V.c.volume_type_id == T.c.id))
SUMMARY = sa.select(V.c.id, V.c.name)
_SHOWN_BY_ID = SHOWN.where(V.c.id == sa.bindparam("id"))
#: A row like those of ROW.
Row = db.row_type(column.name for column in ROW.selected_columns)
#: The sum of the sizes in GiB as an integer: MariaDB returns a decimal.
TOTAL_SIZE = sa.cast(sa.func.coalesce(sa.func.sum(V.c.size), 0), sa.BigInteger)

LISTING = listing.Resource(V, frozenset((
    "id", "status", "size", "name", "availability_zone", "created_at", "updated_at", "bootable", "host", "project_id",
    "user_id", "volume_type_id", "snapshot_id", "source_volid", "attach_status", "launched_at", "description")), ROW,
    errors.VolumeNotFound)
find, get, visible, page, count = LISTING.find, LISTING.get, LISTING.visible, LISTING.rows, LISTING.count

_NOT_TARGETS = sa.or_(V.c.migration_status.is_(None), sa.not_(V.c.migration_status.startswith(states.TARGET)))
_TARGETS_TOO = sa.true()


def shown(tx: db.Transaction, ctx: context.Context, id: str) -> db.Row:
    """The columns of the volume that responses show. Raises VolumeNotFound."""
    return visible(ctx, id, tx.execute(_SHOWN_BY_ID, {"id": id}).first())


def visible_to(ctx: context.Context, all_projects: bool) -> listing.Condition:
    """The condition of the volumes that a list shows: those of the project, or all for administrators on request."""
    if ctx.is_admin and all_projects:
        return sa.true()
    return sa.and_(V.c.project_id == ctx.project_id, _TARGETS_TOO if ctx.is_admin else _NOT_TARGETS)


def summary(tx: db.Transaction, visible: listing.Condition) -> db.Row:
    """(count, total GiB) of the visible volumes."""
    return tx.execute(sa.select(sa.func.count(), TOTAL_SIZE).where(visible)).one()


def metadata_values(tx: db.Transaction, visible: listing.Condition) -> Sequence[db.Row]:
    """The distinct metadata pairs of the visible volumes."""
    return tx.execute(sa.select(L.c.key, L.c.value).join(V, V.c.id == L.c.resource_id).where(visible).distinct()
                      .order_by(L.c.key, L.c.value)).all()


def of_image(tx: db.Transaction, project_id: str, host: str, image_id: str | None = None) -> Sequence[db.Row]:
    """A project's volumes in a pool that were created from that image, or from any; the least recently used first."""
    source = V.c.image_metadata["image_id"].as_string()
    return tx.execute(ROW.where(
        V.c.project_id == project_id, V.c.host == host, source.is_not(None) if image_id is None else source == image_id,
    ).order_by(sa.func.coalesce(V.c.updated_at, V.c.created_at))).all()


def on_host(tx: db.Transaction, service_host: str) -> Sequence[db.Row]:
    """The volumes of a backend."""
    return tx.execute(ROW.where(V.c.host.startswith(service_host + "#", autoescape=True))).all()


def ownership(service_uuid: str | None, cluster: str | None = None) -> dict[str, Any]:
    """The columns of a volume of a service, or of a cluster of that name.

    By the first two os-brick decides whether hosts share a target and need a lock. Every volume has its own target,
    whatever the driver.
    """
    return {"service_uuid": service_uuid, "shared_targets": False, "cluster_name": cluster}


def set_service(tx: db.Transaction, service_host: str, values: Mapping[str, Any]) -> None:
    """Give all volumes of a backend the columns of `ownership`."""
    differs = sa.or_(*(V.c[name].is_distinct_from(value) for name, value in values.items()))
    tx.execute(sa.update(V).where(V.c.host.startswith(f"{service_host}#", autoescape=True), differs).values(**values))


def usage_by_project(tx: db.Transaction, service_hosts: Collection[str]) -> list[tuple[Any, ...]]:
    """The usage of the services' backends: [(project, volumes, their GiB, snapshots, their GiB)]."""
    S = schema.snapshots
    sums: dict[str, list[int]] = {}
    there = sa.or_(*(V.c.host.startswith(f"{host}#", autoescape=True) for host in service_hosts))
    queries = (sa.select(V.c.project_id, sa.func.count(), TOTAL_SIZE).where(there).group_by(V.c.project_id),
               sa.select(S.c.project_id, sa.func.count(), sa.cast(sa.func.sum(S.c.size), sa.BigInteger))
               .join(V, V.c.id == S.c.volume_id).where(there).group_by(S.c.project_id))
    for place, query in enumerate(queries):
        for project, count, size in tx.execute(query):
            sums.setdefault(project, [0] * 4)[2 * place:2 * place + 2] = count, int(size)
    return [(project, *found) for project, found in sorted(sums.items())]


def host_of(tx: db.Transaction, id: str) -> str:
    """The host string of a volume, "" if it has none or does not exist."""
    return tx.execute(sa.select(V.c.host).where(V.c.id == id)).scalar() or ""
