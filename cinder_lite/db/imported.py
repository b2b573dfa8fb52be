"""What was taken over from a Cinder, and the rows that this made."""

import sqlalchemy as sa

from cinder_lite.db import audit, schema

A = schema.adopted
#: Tables whose rows have a name that only one may have.
NAMED = {"volume_types": schema.volume_types, "qos_specs": schema.qos_specs, "group_types": schema.group_types}
#: Columns that refer to rows of those.
REFERENCES = {
    "volume_types": (schema.volumes.c.volume_type_id, schema.snapshots.c.volume_type_id, schema.default_types.c.volume_type_id,
                     schema.volume_type_projects.c.volume_type_id, schema.quotas.c.type_id),
    "qos_specs": (schema.volume_types.c.qos_specs_id,),
    "group_types": (schema.groups.c.group_type_id,),
}
ROWS = 500


def table(name):
    return schema.METADATA.tables[name]


def known(tx):
    """{kind: ids} of what was taken over before; it may have been deleted since."""
    found = {}
    for kind, id in tx.execute(sa.select(A.c.kind, A.c.id)):
        found.setdefault(kind, set()).add(id)
    return found


def keys(tx, name):
    """The primary keys of a table's rows, as tuples."""
    return {tuple(row) for row in tx.execute(sa.select(*table(name).primary_key.columns))}


def names(tx, name):
    """{name: id} of a table of NAMED."""
    return dict(tx.execute(sa.select(NAMED[name].c.name, NAMED[name].c.id)).all())


def is_used(tx, name, id):
    """Whether anything refers to a row of a table of NAMED."""
    return any(tx.execute(sa.select(sa.exists().where(column == id))).scalar() for column in REFERENCES[name])


def discard(tx, name, id):
    tx.execute(sa.delete(NAMED[name]).where(NAMED[name].c.id == id))


def insert(tx, name, rows):
    for start in range(0, len(rows), ROWS):
        tx.execute(sa.insert(table(name)), rows[start:start + ROWS])


def note(tx, kind, ids):
    """Remember that these were taken over."""
    insert(tx, "adopted", [{"kind": kind, "id": id} for id in ids])


def settle_sums(tx, conf):
    """Make usage and the pools' room the sums of all rows that count."""
    for project in sorted({key[0] for key, _, _ in audit.usage_differences(tx, not conf.no_snapshot_gb_quota)}):
        audit.rewrite_usage(tx, not conf.no_snapshot_gb_quota, project)
    for row, _, _ in audit.pool_differences(tx):
        audit.rewrite_pool(tx, row.name)
