"""cinder-lite-manage job: what is being done."""

from cinder_lite.db import audit
from cinder_lite.manage import OK, table


def show(shared, args):
    """list what is being done, with --all also what was done lately"""
    with shared.db.read() as tx:
        rows = audit.latest_jobs(tx) if args.all else audit.live_jobs(tx)
    table(("Id", "Job", "Resource", "Project", "Status", "At", "Attempt", "Progress", "Created", "Error"), [
        (row.id, f"{row.action} {row.kind}", row.resource_id, row.project_id, row.status,
         f"{row.stage} {row.host or ''}".strip(), row.attempt, f"{row.progress} %", row.created_at, row.error)
        for row in rows])
    return OK


COMMANDS = {("job", "list"): (show, (("--all", {"action": "store_true", "help": "also what is over"}),), True)}
