"""cinder-lite-manage db: upgrades the schema, shows its revision, and deletes old rows."""

import argparse

from cinder_lite.db import job_changes, messages, migrate
from cinder_lite.manage import OK, VIOLATED, Commands, Failed, counted
from cinder_lite.service.process import Process

DAY = 86400


def sync(shared: Process, _args: argparse.Namespace) -> int:
    """create or upgrade the schema of this release"""
    migrate.sync(shared.db)
    print(f"The database is at revision {migrate.current(shared.db)}.")
    return OK


def version(shared: Process, _args: argparse.Namespace) -> int:
    """show the revision of the database and the revision that this release needs"""
    found = migrate.current(shared.db)
    print(f"{found or 'empty'} (this release needs {migrate.HEAD})")
    return OK if migrate.suffices(found) else VIOLATED


def purge(shared: Process, args: argparse.Namespace) -> int:
    """delete ended jobs and expired messages, as the scheduler does hourly; deleted resources leave no rows"""
    age = shared.conf.job_retention if args.days is None else args.days * DAY
    with shared.db.write() as tx:
        ended = job_changes.purge(tx, age)
        expired = messages.purge(tx, None if args.days is None else age)
    print(f"Deleted {counted(ended, 'job')} and {counted(expired, 'message')}.")
    return OK


def expect_schema(shared: Process) -> None:
    """Raise Failed unless this release can work with the schema."""
    found = migrate.current(shared.db)
    if not migrate.suffices(found):
        revision = "is empty" if found is None else f"is at revision {found}, this release needs {migrate.HEAD}"
        raise Failed(f"the database {revision}: run 'cinder-lite-manage db sync'")


def reason(error: Exception) -> str:
    """The database's error message in one line."""
    return str(error).strip().splitlines()[0]


COMMANDS: Commands = {
    ("db", "sync"): (sync, (), False),
    ("db", "version"): (version, (), False),
    ("db", "purge"): (purge, (("--days", {
        "type": float, "metavar": "N",
        "help": "minimum age in days (default: job_retention for jobs, message_ttl for messages)"}),), True),
}
