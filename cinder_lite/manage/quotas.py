"""cinder-lite-manage quota: usage against the rows that it counts."""

from cinder_lite.db import audit
from cinder_lite.manage import OK, VIOLATED, sentence, table

RIGHT = "Usage is the sum of what is there."


def check(shared, args):
    """compare usage with the rows that it counts"""
    found = _differences(shared, args)
    if not found:
        print(RIGHT)
        return OK
    table(("Project", "Resource", "Type", "Recorded", "Sum"),
          [(*key, "no row" if in_use is None else in_use, n) for key, in_use, n in found])
    return VIOLATED


def sync(shared, args):
    """make usage the sum of the rows that it counts"""
    from cinder_lite.doctor import sums

    found = _differences(shared, args)
    for project in sorted({key[0] for key, _, _ in found}):
        print(sentence(sums.rewrite_usage(project, shared.db, shared.conf)))
    if not found:
        print(RIGHT)
    return OK


def _differences(shared, args):
    with audit.moment(shared.db) as tx:
        return audit.usage_differences(tx, not shared.conf.no_snapshot_gb_quota, args.project)


_PROJECT = ("--project", {"metavar": "ID", "help": "only this project"})
COMMANDS = {
    ("quota", "check"): (check, (_PROJECT,), True),
    ("quota", "sync"): (sync, (_PROJECT,), True),
}
