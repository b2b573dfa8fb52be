"""Finds the further resources that a job holds."""

from cinder_lite import db, states
from cinder_lite.db import notifications
from cinder_lite.jobs.holds.members import members
from cinder_lite.jobs.holds.source import source_id


def held_ids(tx: db.Transaction, hold: states.Source | states.Members, job: db.Row, status: str) -> list[str]:
    """Ids of the further resources in that status that a job holds."""
    if isinstance(hold, states.Members):
        found = members(tx, hold, job)
    else:
        id = source_id(hold, job)
        found = [notifications.subject(tx, hold.kind, id)] if id else []
    return [row.id for row in found if row is not None and row.status == status]
