"""cinder-lite-manage import-cinder: imports the records of a Cinder database and prints a report."""

import argparse
import os

from oslo_config import cfg

from cinder_lite import import_cinder as importing
from cinder_lite.concurrency import clock
from cinder_lite.host import effective_user
from cinder_lite.import_cinder import database
from cinder_lite.manage import OK, VIOLATED, Commands, Failed, table
from cinder_lite.service.process import Process

#: Seconds within which a running service of Cinder reports its heartbeat.
LISTENING = 12


def import_cinder(shared: Process, args: argparse.Namespace) -> int:
    """import the records of a Cinder database; exit status 1 if a record cannot be imported"""
    mapping = dict(_mapped(word) for word in args.host_map)
    try:
        source = database.CinderDatabase(_url(args.source))
    except database.NotCinders as error:
        raise Failed(str(error)) from error
    try:
        if not args.dry_run:
            _expect_stopped(source)
        report = importing.run(source, shared.db, shared.conf, mapping, args.dry_run)
    except database.ERRORS as error:
        url = source.url.render_as_string(hide_password=True)
        raise Failed(f"Cinder's database at {url} cannot be read: {str(error).splitlines()[0]}") from error
    except database.NotCinders as error:
        raise Failed(str(error)) from error
    finally:
        source.close()
    _print(report, args.dry_run)
    return VIOLATED if report.skipped else OK


def _url(source):
    """The database's URL, given as such or by the name of a cinder.conf."""
    if "://" in source:
        return source
    with effective_user.as_invoker():
        there = os.path.exists(source)
    if not there:
        raise Failed(f"--from must be a database URL or Cinder's cinder.conf; there is no file {source}")
    conf = cfg.ConfigOpts()
    conf.register_opt(cfg.StrOpt("connection"), group="database")
    with effective_user.as_invoker():
        conf([], default_config_files=[source], default_config_dirs=[])
    if not conf.database.connection:
        raise Failed(f"{source} has no option connection in its section [database]")
    return conf.database.connection


def _mapped(word):
    old, equals, new = word.partition("=")
    if not (old and equals and new):
        raise Failed(f"--host-map {word} is not of the form OLD=NEW, such as ctl1@lvm=ctl2@lvm")
    return old, new


def _expect_stopped(source):
    """Refuse to import while Cinder's services run: two services must not work on the same volumes."""
    before = importing.alive(source)
    if before:
        print("Checking that Cinder's services are stopped ...", flush=True)
        clock.sleep(LISTENING)
    running = [name for name, _ in set(importing.alive(source)) - set(before)]
    if running:
        raise Failed(f"Cinder is running: {', '.join(sorted(running))}; stop its services, including the API, and run "
                     "this again")


def _print(report, dry_run):
    for kind, id, reason in report.skipped:
        print(f"skipped: {kind} {id}: {reason}")
    for kind, id, change in report.changed:
        print(f"changed: {kind} {id}: {change}")
    for note in report.notes:
        print(f"note: {note}")
    table(("Kind", "Would import" if dry_run else "Imported", "Present", "Skipped"),
          [(kind, *counts.values()) for kind, counts in report.counts.items()])
    if dry_run:
        print("Nothing was changed.")


COMMANDS: Commands = {
    ("import-cinder",): (import_cinder, (
        ("--from", {"dest": "source", "required": True, "metavar": "URL|FILE",
                    "help": "Cinder's database: the URL of its [database] connection, or its cinder.conf"}),
        ("--dry-run", {"action": "store_true", "help": "only report the records that would be imported or skipped"}),
        ("--host-map", {"nargs": "+", "default": [], "metavar": "OLD=NEW",
                        "help": "new names of hosts, backends (host@section) or pools"})), True),
}
