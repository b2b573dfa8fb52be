"""Quota usage and what pools gave out: both are the sums of the rows that count."""

import functools

from cinder_lite import db
from cinder_lite.db import audit
from cinder_lite.doctor.finding import Finding


def usage(look):
    """Usage that is not the sum of a project's rows, per resource and type."""
    for (project, resource, type_id), in_use, n in audit.usage_differences(look.tx, not look.conf.no_snapshot_gb_quota):
        of_type = f" of type {type_id}" if type_id else ""
        yield Finding(
            "usage is not the sum", (project, resource, type_id, (in_use or 0) - n),
            f"project {project} uses {_said(in_use)} {resource}{of_type}, its rows add up to {n}",
            "writes the sum", functools.partial(rewrite_usage, project))


def _said(in_use):
    return "no recorded" if in_use is None else in_use


def rewrite_usage(project_id, database, conf):
    """Make a project's usage the sums. Returns what was done, "" when it was right."""
    while True:
        try:
            return _rewrite_usage(project_id, database, conf)
        except db.Duplicate:
            continue  # another has made a missing row meanwhile


@db.retried
def _rewrite_usage(project_id, database, conf):
    with database.write() as tx:
        found = audit.rewrite_usage(tx, not conf.no_snapshot_gb_quota, project_id)
    changes = ", ".join(f"{resource}{f' of type {type_id}' if type_id else ''} {_said(in_use)} -> {n}"
                        for (_, resource, type_id), in_use, n in found)
    return f"wrote the usage of project {project_id}: {changes}" if found else ""


def pools(look):
    """A pool whose GiB or number of volumes given out are not those of its volumes."""
    for row, gb, n in audit.pool_differences(look.tx):
        yield Finding(
            "pool is not the sum", (row.name, row.allocated_gb - gb, row.volume_count - n),
            f"pool {row.name} gave out {row.allocated_gb} GiB in {row.volume_count} volumes, its rows add up to {gb} GiB "
            f"in {n}", "writes the sum", functools.partial(_rewrite_pool, row.name))


@db.retried
def _rewrite_pool(name, database, _conf):
    with database.write() as tx:
        found = audit.rewrite_pool(tx, name)
    return "".join(f"wrote what pool {name} gave out: {gb} GiB in {n} volumes" for _, gb, n in found)
