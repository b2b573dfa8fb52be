"""cinder-lite-manage job: lists jobs."""

import argparse

from cinder_lite.db import audit
from cinder_lite.manage import OK, Commands, table
from cinder_lite.service.process import Process


def show(shared: Process, args: argparse.Namespace) -> int:
    """list queued and running jobs"""
    with shared.db.read() as tx:
        rows = audit.latest_jobs(tx) if args.all else audit.live_jobs(tx)
    table(("Id", "Job", "Resource", "Project", "Status", "At", "Attempt", "Progress", "Created", "Error"), [
        (row.id, f"{row.action} {row.kind}", row.resource_id, row.project_id, row.status,
         f"{row.stage} {row.host or ''}".strip(), row.attempt, f"{row.progress} %", row.created_at, row.error)
        for row in rows])
    return OK


COMMANDS: Commands = {
    ("job", "list"): (show, (("--all", {"action": "store_true", "help": "the latest 200 jobs, ended ones included"}),),
                      True),
}
