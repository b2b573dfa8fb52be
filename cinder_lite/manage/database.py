"""cinder-lite-manage db: the schema's revision, and rows that are too old to be of use."""

from cinder_lite.db import jobs, messages, migrate
from cinder_lite.manage import OK, VIOLATED, Failed, counted

DAY = 86400


def sync(shared, _args):
    """bring the database to this release's schema"""
    migrate.sync(shared.db)
    print(f"The database is at revision {migrate.current(shared.db)}.")
    return OK


def version(shared, _args):
    """show the database's revision and the one this release needs"""
    found = migrate.current(shared.db)
    print(f"{found or 'empty'} (this release needs {migrate.HEAD})")
    return OK if migrate.suffices(found) else VIOLATED


def purge(shared, args):
    """forget jobs that are over and messages, which the scheduler does hourly; what was deleted leaves no rows"""
    age = shared.conf.job_retention if args.days is None else args.days * DAY
    with shared.db.write() as tx:
        over = jobs.purge(tx, age)
        old = messages.purge(tx, None if args.days is None else age)
    print(f"Deleted {counted(over, 'job')} and {counted(old, 'message')}.")
    return OK


def expect_schema(shared):
    """Raise Failed unless this release can work with the database."""
    found = migrate.current(shared.db)
    if not migrate.suffices(found):
        what = "is empty" if found is None else f"is at revision {found}, this release needs {migrate.HEAD}"
        raise Failed(f"the database {what}: run 'cinder-lite-manage db sync'")


def reason(error):
    """What a database said, in one line."""
    return str(error).strip().splitlines()[0]


COMMANDS = {
    ("db", "sync"): (sync, (), False),
    ("db", "version"): (version, (), False),
    ("db", "purge"): (purge, (("--days", {
        "type": float, "metavar": "N",
        "help": "older than N days; default: jobs after job_retention, messages after message_ttl"}),), True),
}
