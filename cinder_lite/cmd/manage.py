"""cinder-lite-manage: the operator's command for the database, the services, usage, jobs, and what is off."""

from cinder_lite import concurrency

concurrency.patch()

import argparse  # noqa: E402
import sys  # noqa: E402

import orjson  # noqa: E402
from oslo_config import cfg  # noqa: E402

from cinder_lite import conf as configuration  # noqa: E402
from cinder_lite import errors, process  # noqa: E402
from cinder_lite.db import audit, migrate, services  # noqa: E402
from cinder_lite.manage import OK, REFUSED, VIOLATED, Failed, adoption, table  # noqa: E402


def sync_database(shared, _args):
    """bring the database to this release's schema"""
    migrate.sync(shared.db)
    print(f"The database is at revision {migrate.current(shared.db)}.")
    return OK


def show_version(shared, _args):
    """show the database's revision and the one this release needs"""
    found = migrate.current(shared.db)
    print(f"{found or 'empty'} (this release needs {migrate.HEAD})")
    return OK if migrate.suffices(found) else VIOLATED


def list_services(shared, _args):
    """list the services and whether they are up"""
    with shared.db.read() as tx:
        rows = services.page(tx)
    table(("Binary", "Host", "Zone", "Enabled", "State", "Last heartbeat", "Reason"), [
        (row.binary, row.host, row.availability_zone, "no" if row.disabled else "yes",
         "up" if services.is_up(row, shared.conf.service_down_time) else "down", row.seen_at,
         row.disabled_reason or row.backend_reason) for row in rows])
    return OK


def remove_service(shared, args):
    """forget a service that does not exist any more"""
    with shared.db.write() as tx:
        row = services.get(tx, args.binary, args.host)
        if services.is_up(row, shared.conf.service_down_time):
            raise Failed(f"{args.binary} on {args.host} is up: stop it first")
        services.remove(tx, args.binary, args.host)
    print(f"Removed {args.binary} on {args.host}.")
    return OK


def check_quota(shared, args):
    """compare usage with the rows that it counts"""
    with audit.moment(shared.db) as tx:
        found = audit.usage_differences(tx, not shared.conf.no_snapshot_gb_quota, args.project)
    if not found:
        print("Usage is the sum of what is there.")
        return OK
    table(("Project", "Resource", "Type", "Recorded", "Sum"),
           [(*key, "no row" if in_use is None else in_use, n) for key, in_use, n in found])
    return VIOLATED


def sync_quota(shared, args):
    """make usage the sum of the rows that it counts"""
    from cinder_lite.doctor import sums

    with audit.moment(shared.db) as tx:
        found = audit.usage_differences(tx, not shared.conf.no_snapshot_gb_quota, args.project)
    for project in sorted({key[0] for key, _, _ in found}):
        print(_sentence(sums.rewrite_usage(project, shared.db, shared.conf)))
    if not found:
        print("Usage is the sum of what is there.")
    return OK


def list_jobs(shared, args):
    """list what is being done, with --all also what was done lately"""
    with shared.db.read() as tx:
        rows = audit.latest_jobs(tx) if args.all else audit.live_jobs(tx)
    table(("Id", "Job", "Resource", "Project", "Status", "At", "Attempt", "Progress", "Created", "Error"), [
        (row.id, f"{row.action} {row.kind}", row.resource_id, row.project_id, row.status,
         f"{row.stage} {row.host or ''}".strip(), row.attempt, f"{row.progress} %", row.created_at, row.error)
        for row in rows])
    return OK


def show_routes(_shared, _args):
    """show every operation of the API"""
    from cinder_lite.api.routes import ROUTES

    table(("Method", "Path", "Action", "Since", "Until", "Status", "Policy", "Handler"), [
        (route.method, route.path, route.action, route.since, route.until, route.status, route.policy,
         f"{route.handler.__module__.removeprefix('cinder_lite.')}.{route.handler.__name__}") for route in ROUTES])
    return OK


def show_openapi(_shared, args):
    """print the API as an OpenAPI 3.1 document"""
    from cinder_lite.api import openapi, versions

    version = versions.asked(f"{versions.SERVICE} {args.microversion}")
    print(orjson.dumps(openapi.document(version), option=orjson.OPT_INDENT_2).decode())
    return OK


def examine(shared, args):
    """check what must always hold; ends with 1 when something does not"""
    from cinder_lite.doctor import Doctor

    if args.delete_orphans and not args.repair:
        raise Failed("--delete-orphans goes with --repair")
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
        print("All is well: every promise has its job, and every sum is right.")


#: Words of the command -> (what it does, its arguments, whether it needs the database at this release's revision).
_PROJECT = ("--project", {"metavar": "ID", "help": "only this project"})
COMMANDS = {
    ("db", "sync"): (sync_database, (), False),
    ("db", "version"): (show_version, (), False),
    ("service", "list"): (list_services, (), True),
    ("service", "remove"): (remove_service, (("binary", {}), ("host", {})), True),
    ("quota", "check"): (check_quota, (_PROJECT,), True),
    ("quota", "sync"): (sync_quota, (_PROJECT,), True),
    ("job", "list"): (list_jobs, (("--all", {"action": "store_true", "help": "also what is over"}),), True),
    ("routes",): (show_routes, (), False),
    ("openapi",): (show_openapi, (("--microversion", {
        "default": "latest", "metavar": "X.Y", "help": "of which microversion; default: the newest"}),), False),
    ("doctor",): (examine, (
        ("--repair", {"action": "store_true", "help": "repair what is off, and say what was done"}),
        ("--delete-orphans", {"action": "store_true", "help": "with --repair: also delete data that has no row"}),
        ("--json", {"action": "store_true", "help": "print JSON"}),
        ("--pause", {"type": float, "default": 1.0, "metavar": "SECONDS",
                     "help": "time between the two looks that must agree (default: %(default)s)"})), True),
    **adoption.COMMANDS,
}


def _parser():
    files = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    for option in ("--config-file", "--config-dir"):
        files.add_argument(option, action="append", metavar="PATH", help="as the services take it")
    parser = argparse.ArgumentParser(prog="cinder-lite-manage", description=__doc__.partition(": ")[2], parents=[files])
    folders = {(): parser.add_subparsers(metavar="COMMAND", required=True)}
    for words, (function, arguments, needs_schema) in COMMANDS.items():
        if words[:-1] not in folders:
            folder = folders[()].add_parser(words[0], help=f"{words[0]}: " + ", ".join(
                other[1] for other in COMMANDS if other[0] == words[0]))
            folders[words[:-1]] = folder.add_subparsers(metavar="COMMAND", required=True)
        command = folders[words[:-1]].add_parser(words[-1], help=function.__doc__, description=function.__doc__,
                                                 parents=[files])
        for name, options in arguments:
            command.add_argument(name, **options)
        command.set_defaults(function=function, needs_schema=needs_schema)
    return parser


def _sentence(text):
    return text[:1].upper() + text[1:] + "."


def _expect_schema(shared):
    found = migrate.current(shared.db)
    if not migrate.suffices(found):
        what = "is empty" if found is None else f"is at revision {found}, this release needs {migrate.HEAD}"
        raise Failed(f"the database {what}: run 'cinder-lite-manage db sync'")


def _run(args):
    options = [f"--{name.replace('_', '-')}={path}" for name in ("config_file", "config_dir")
               for path in getattr(args, name, ())]
    shared = process.Process(configuration.load(options, prog="cinder-lite-manage"))
    try:
        if args.needs_schema:
            _expect_schema(shared)
        return args.function(shared, args)
    except audit.ERRORS as error:
        url = shared.db.url.render_as_string(hide_password=True)
        reason = str(error).strip().splitlines()[0]
        raise Failed(f"the database at {url} cannot be used: {reason}") from error
    finally:
        shared.db.dispose()


def main(argv=None):
    """Run the command; returns the exit status: 0, 1 when something is off, 2 when it could not be carried out."""
    args = _parser().parse_args(argv)
    try:
        return _run(args)
    except (Failed, errors.Error, cfg.Error, OSError) as error:
        print(f"cinder-lite-manage: {error}", file=sys.stderr)
        return REFUSED


if __name__ == "__main__":
    sys.exit(main())
