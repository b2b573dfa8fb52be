"""Inserts imported rows and records their ids, for the import from Cinder."""

from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa
from oslo_config import cfg

from cinder_lite import db
from cinder_lite.db import audit, schema

A = schema.imported
#: Tables with unique names.
NAMED = {"volume_types": schema.volume_types, "qos_specs": schema.qos_specs, "group_types": schema.group_types}
#: Columns that refer to rows of these tables.
REFERENCES = {
    "volume_types": (schema.volumes.c.volume_type_id, schema.snapshots.c.volume_type_id,
                     schema.default_types.c.volume_type_id, schema.volume_type_projects.c.volume_type_id,
                     schema.quotas.c.type_id),
    "qos_specs": (schema.volume_types.c.qos_specs_id,), "group_types": (schema.groups.c.group_type_id,)}
ROWS = 500


def table(name: str) -> sa.Table:
    return schema.METADATA.tables[name]


def known(tx: db.Transaction) -> dict[str, set[str]]:
    """{kind: ids} of former imports, including resources that were deleted since."""
    found: dict[str, set[str]] = {}
    for kind, id in tx.execute(sa.select(A.c.kind, A.c.id)):
        found.setdefault(kind, set()).add(id)
    return found


def keys(tx: db.Transaction, name: str) -> set[tuple[Any, ...]]:
    """The primary keys of a table's rows, as tuples."""
    return {tuple(row) for row in tx.execute(sa.select(*table(name).primary_key.columns))}


def names(tx: db.Transaction, name: str) -> dict[str, str]:
    """{name: id} of a table of NAMED."""
    return dict(tx.execute(sa.select(NAMED[name].c.name, NAMED[name].c.id)).all())


def is_used(tx: db.Transaction, name: str, id: str) -> bool:
    """Whether anything refers to a row of a table of NAMED."""
    return any(tx.execute(sa.select(sa.exists().where(column == id))).scalar() for column in REFERENCES[name])


def discard(tx: db.Transaction, name: str, id: str) -> None:
    tx.execute(sa.delete(NAMED[name]).where(NAMED[name].c.id == id))


def insert(tx: db.Transaction, name: str, rows: Sequence[dict[str, Any]]) -> None:
    for start in range(0, len(rows), ROWS):
        tx.execute(sa.insert(table(name)), rows[start:start + ROWS])


def record(tx: db.Transaction, kind: str, ids: Collection[str]) -> None:
    """Record ids as imported."""
    insert(tx, "adopted", [{"kind": kind, "id": id} for id in ids])


def recalculate(tx: db.Transaction, conf: cfg.ConfigOpts) -> None:
    """Set quota usage and the allocated capacity of pools to the sums of the rows that they count."""
    for project in sorted({key[0] for key, _, _ in audit.usage_differences(tx, not conf.no_snapshot_gb_quota)}):
        audit.rewrite_usage(tx, not conf.no_snapshot_gb_quota, project)
    for row, _, _ in audit.pool_differences(tx):
        audit.rewrite_pool(tx, row.name)
