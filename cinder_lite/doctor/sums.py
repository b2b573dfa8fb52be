"""Checks that quota usage and the allocated capacity of pools are the sums of the rows that they count."""

import functools
from collections.abc import Iterator

from oslo_config import cfg

from cinder_lite import db
from cinder_lite.db import audit
from cinder_lite.doctor.finding import Finding
from cinder_lite.doctor.state import State


def usage(state: State) -> Iterator[Finding]:
    """Quota usage that differs from the sum of a project's rows, per resource and volume type."""
    for (project, resource, type_id), in_use, n in audit.usage_differences(
            state.tx, not state.conf.no_snapshot_gb_quota):
        of_type = f" of type {type_id}" if type_id else ""
        yield Finding(
            "quota usage mismatch", (project, resource, type_id, (in_use or 0) - n),
            f"project {project} has {_recorded(in_use)} {resource}{of_type} in use, but its rows add up to {n}",
            "recalculates the usage", functools.partial(rewrite_usage, project))


def _recorded(in_use):
    return "no recorded" if in_use is None else in_use


def rewrite_usage(project_id: str, database: db.Database, conf: cfg.ConfigOpts) -> str:
    """Set a project's usage to the sums. Returns a description of the change, "" if the usage was correct."""
    while True:
        try:
            return _rewrite_usage(project_id, database, conf)
        except db.Duplicate:
            continue  # another process inserted a missing row meanwhile


@db.retried
def _rewrite_usage(project_id, database, conf):
    with database.write() as tx:
        found = audit.rewrite_usage(tx, not conf.no_snapshot_gb_quota, project_id)
    changes = ", ".join(f"{resource}{f' of type {type_id}' if type_id else ''} {_recorded(in_use)} -> {n}"
                        for (_, resource, type_id), in_use, n in found)
    return f"recalculated the usage of project {project_id}: {changes}" if found else ""


def pools(state: State) -> Iterator[Finding]:
    """Pools whose allocated GiB or number of volumes differ from the sums of their volumes."""
    for row, gb, n in audit.pool_differences(state.tx):
        yield Finding(
            "pool usage mismatch", (row.name, row.allocated_gb - gb, row.volume_count - n),
            f"pool {row.name} has {row.allocated_gb} GiB allocated in {row.volume_count} volumes, but its rows add up "
            f"to {gb} GiB in {n}", "recalculates the pool's usage", functools.partial(_rewrite_pool, row.name))


@db.retried
def _rewrite_pool(name, database, _conf):
    with database.write() as tx:
        found = audit.rewrite_pool(tx, name)
    return "".join(f"recalculated pool {name}: {gb} GiB in {n} volumes" for _, gb, n in found)
