"""cinder-lite-manage doctor: runs the consistency checks and prints their findings."""

import argparse
import sys

import orjson

from cinder_lite.manage import OK, VIOLATED, Commands, Failed
from cinder_lite.service.process import Process


def examine(shared: Process, args: argparse.Namespace) -> int:
    """check the database, the backends and the backup store for inconsistencies; exit status 1 if there are any"""
    from cinder_lite.doctor import Doctor

    if args.delete_orphans and not args.repair:
        raise Failed("--delete-orphans requires --repair")
    doctor = Doctor(shared.db, shared.conf, args.pause)
    report = doctor.repair(args.delete_orphans) if args.repair else doctor.examine()
    if args.json:
        print(orjson.dumps(_as_data(report), option=orjson.OPT_INDENT_2, default=str).decode())
    else:
        _print_report(report, args.repair)
    return VIOLATED if report.violations else OK


def _as_data(report):
    return {"clean": not report.violations, "violations": [finding.plain() for finding in report.violations],
            "repaired": [{**finding.plain(), "did": did} for finding, did in report.repaired], "notes": report.notes}


def _print_report(report, repairing):
    for finding, did in report.repaired:
        print(f"REPAIRED {finding.invariant}: {finding.text}: {did}")
    for finding in report.violations:
        advice = "--repair " if finding.repair is not None and not repairing and not finding.orphan else ""
        print(f"{finding.invariant}: {finding.text} ({advice}{finding.remedy})")
    for note in report.notes:
        print(f"note: {note}", file=sys.stderr)
    if not report.violations:
        print("No inconsistencies found.")


COMMANDS: Commands = {
    ("doctor",): (examine, (
        ("--repair", {"action": "store_true", "help": "repair inconsistencies and print each repair"}),
        ("--delete-orphans", {"action": "store_true",
                              "help": "with --repair: also delete data without a database row"}),
        ("--json", {"action": "store_true", "help": "print JSON"}),
        ("--pause", {"type": float, "default": 1.0, "metavar": "SECONDS",
                     "help": "time between the two passes that must agree (default: %(default)s)"})), True),
}
