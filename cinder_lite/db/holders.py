"""Finds the live jobs of other resources that read a resource, write to it, or have it as a member."""

import sqlalchemy as sa

from cinder_lite import db, states
from cinder_lite.db import schema
from cinder_lite.states import lookup

J = schema.jobs


def others(tx: db.Transaction, kind: str, id: str) -> list[db.Row]:
    """The jobs that hold the resource."""
    found = [job for of, row in lookup.rows() if row.stage is not None
             for hold in lookup.members_of(row) if hold.kind == kind for job in _holding(tx, of, row.name, hold, id)]
    if kind == "volume":  # the copy of a volume that is being migrated has the id of the job
        found += tx.execute(sa.select(J).where(
            J.c.id == id, J.c.kind == "volume", J.c.status.in_(states.LIVE_JOB))).all()
    return found


def _holding(tx, kind, action, hold, id):
    """The live jobs of an action that hold the resource by this hold."""
    if isinstance(hold, states.Members):
        table = schema.RESOURCES[hold.kind]
        status = states.ACTIONS[hold.kind][hold.action].doing
        resources = sa.select(table.c[hold.column]).where(table.c.id == id, table.c.status == status)
    else:
        table = schema.RESOURCES[kind]
        resources = sa.select(table.c.id).where(table.c[hold.column] == id)
        if hold.unless:
            resources = resources.where(table.c[hold.unless].is_(None))
    jobs = tx.execute(sa.select(J).where(J.c.status.in_(states.LIVE_JOB), J.c.kind == kind, J.c.action == action,
                                         J.c.resource_id.in_(resources)).order_by(J.c.created_at)).all()
    if not isinstance(hold, states.Members) or not hold.arg:
        return jobs
    wanted = [(job, job.args.get(hold.arg) if isinstance(job.args, dict) else None) for job in jobs]
    return [job for job, value in wanted if value is True or value == id]
