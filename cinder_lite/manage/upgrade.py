"""cinder-lite-manage status upgrade-check: whether services of this release can work beside those that run."""

from cinder_lite.db import audit, migrate, services
from cinder_lite.jobs import lifecycle
from cinder_lite.manage import OK, REFUSED, VIOLATED, settings, table

SUCCESS, WARNING, FAILURE = "Success", "Warning", "Failure"
STATUS = {SUCCESS: OK, WARNING: VIOLATED, FAILURE: REFUSED}


def check(shared, _args):
    """look whether this release can work beside the services that run; ends with 1 for warnings, 2 for failures"""
    rows = [(name, *row) for name, one in CHECKS for row in list(one(shared)) or [(SUCCESS, "")]]
    table(("Check", "Result", "What to do"), rows)
    return max(STATUS[result] for _, result, _ in rows)


def _schema(shared):
    found = migrate.current(shared.db)
    if not migrate.suffices(found):
        yield WARNING, (f"the database is at revision {found or 'none'}, this release needs {migrate.HEAD}: run "
                        "'cinder-lite-manage db sync' before its services start; those that run go on meanwhile")
    elif found != migrate.HEAD:
        yield WARNING, f"the database is at revision {found}, which is of a later release than this"


def _messages(shared):
    """A service says which version of messages it understands; another first number is another language."""
    from cinder_lite.volume.rpcapi import VolumeRPC

    if migrate.current(shared.db) is None:
        return
    with shared.db.read() as tx:
        rows = [row for row in services.page(tx) if row.rpc_version
                and services.is_up(row, shared.conf.service_down_time)]
    for row in rows:
        theirs, ours = _numbers(row.rpc_version), _numbers(VolumeRPC.version)
        where = f"{row.binary} on {row.host} understands messages {row.rpc_version}, this release {VolumeRPC.version}"
        if theirs[0] != ours[0]:
            yield FAILURE, f"{where}: upgrade to a release between the two first"
        elif theirs != ours:
            yield WARNING, f"{where}: what only the later one knows is refused until both are of one release"


def _numbers(version):
    return [int(part) for part in version.split(".")]


def _jobs(shared):
    if migrate.current(shared.db) is None:
        return
    with shared.db.read() as tx:
        for job in audit.live_jobs(tx):
            engine = lifecycle.KINDS.get(job.kind)
            if engine is None or engine.actions and job.action not in engine.actions:
                yield FAILURE, (f"job {job.id} ({job.action} {job.kind}) is of a later release: let a service of that "
                                "release end it first")


def _deprecated(shared):
    for found in settings.findings(shared, (settings.deprecated, settings.values)):
        yield WARNING, f"{found.what}: {found.wrong}"


CHECKS = (("database", _schema), ("messages", _messages), ("jobs", _jobs), ("settings", _deprecated))
COMMANDS = {("status", "upgrade-check"): (check, (), False)}
