"""cinder-lite-manage quota: compares the recorded usage with the rows that it counts, and corrects it."""

import argparse

from cinder_lite.db import audit
from cinder_lite.manage import OK, VIOLATED, Commands, sentence, table
from cinder_lite.service.process import Process

CORRECT = "The recorded usage is correct."


def check(shared: Process, args: argparse.Namespace) -> int:
    """compare the recorded usage with the existing resources; exit status 1 if it differs"""
    found = _differences(shared, args)
    if not found:
        print(CORRECT)
        return OK
    table(("Project", "Resource", "Type", "Recorded", "Sum"),
          [(*key, "no row" if in_use is None else in_use, n) for key, in_use, n in found])
    return VIOLATED


def sync(shared: Process, args: argparse.Namespace) -> int:
    """recalculate the recorded usage from the existing resources"""
    from cinder_lite.doctor import sums

    found = _differences(shared, args)
    for project in sorted({key[0] for key, _, _ in found}):
        print(sentence(sums.rewrite_usage(project, shared.db, shared.conf)))
    if not found:
        print(CORRECT)
    return OK


def _differences(shared, args):
    with audit.moment(shared.db) as tx:
        return audit.usage_differences(tx, not shared.conf.no_snapshot_gb_quota, args.project)


_PROJECT = ("--project", {"metavar": "ID", "help": "only this project"})
COMMANDS: Commands = {("quota", "check"): (check, (_PROJECT,), True), ("quota", "sync"): (sync, (_PROJECT,), True)}
