"""cinder-lite-manage import-cinder: what it asks for and what it prints."""

import os
import time

from oslo_config import cfg

from cinder_lite import import_cinder as adopt
from cinder_lite.host import effective_user
from cinder_lite.import_cinder import database
from cinder_lite.manage import OK, VIOLATED, Failed, table

#: Seconds in which a service of Cinder's that lives makes itself heard.
LISTENING = 12


def import_cinder(shared, args):
    """take over what a Cinder's database knows; ends with 1 when something cannot be taken"""
    mapping = dict(_mapped(word) for word in args.host_map)
    try:
        source = database.CinderDatabase(_url(args.source))
    except database.NotCinders as error:
        raise Failed(str(error)) from error
    try:
        if not args.dry_run:
            _expect_silence(source)
        report = adopt.adopt(source, shared.db, shared.conf, mapping, args.dry_run)
    except database.ERRORS as error:
        url = source.url.render_as_string(hide_password=True)
        raise Failed(f"Cinder's database at {url} cannot be read: {str(error).splitlines()[0]}") from error
    except database.NotCinders as error:
        raise Failed(str(error)) from error
    finally:
        source.close()
    _print(report, args.dry_run)
    return VIOLATED if report.left else OK


def _url(source):
    """The database's URL, or that in a cinder.conf."""
    if "://" in source:
        return source
    with effective_user.who_started():
        there = os.path.exists(source)
    if not there:
        raise Failed(f"--from has to be a database URL or Cinder's cinder.conf; there is no file {source}")
    conf = cfg.ConfigOpts()
    conf.register_opt(cfg.StrOpt("connection"), group="database")
    with effective_user.who_started():
        conf([], default_config_files=[source], default_config_dirs=[])
    if not conf.database.connection:
        raise Failed(f"{source} has no connection in its section [database]")
    return conf.database.connection


def _mapped(word):
    old, equals, new = word.partition("=")
    if not (old and equals and new):
        raise Failed(f"--host-map {word}: it has to be OLD=NEW, like ctl1@lvm=ctl2@lvm")
    return old, new


def _expect_silence(source):
    """Two that know different things must not work on the same volumes."""
    before = adopt.alive(source)
    if before:
        print("Listening whether Cinder's services are stopped ...", flush=True)
        time.sleep(LISTENING)
    running = [name for name, _ in set(adopt.alive(source)) - set(before)]
    if running:
        raise Failed(f"Cinder still runs: {', '.join(sorted(running))}; stop its services, the API too, and run this again")


def _print(report, dry_run):
    for kind, id, why in report.left:
        print(f"left: {kind} {id}: {why}")
    for kind, id, what in report.decided:
        print(f"decided: {kind} {id}: {what}")
    for note in report.notes:
        print(f"note: {note}")
    table(("Kind", "Would take" if dry_run else "Taken", "There already", "Left"),
          [(kind, *counts.values()) for kind, counts in report.counts.items()])
    if dry_run:
        print("Nothing was changed.")


COMMANDS = {
    ("import-cinder",): (import_cinder, (
        ("--from", {"dest": "source", "required": True, "metavar": "URL|FILE",
                    "help": "Cinder's database, as [database] connection, or the cinder.conf that has it"}),
        ("--dry-run", {"action": "store_true", "help": "only say what would be taken, and what cannot be and why"}),
        ("--host-map", {"nargs": "+", "default": [], "metavar": "OLD=NEW",
                        "help": "names of hosts, backends (host@section) or pools that are other ones here"})), True),
}
