"""cinder-lite-manage: administers the database, services, quotas and configuration, and repairs inconsistencies."""

from cinder_lite import concurrency

concurrency.patch()

import argparse  # noqa: E402
import logging  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402
from collections.abc import Sequence  # noqa: E402

from oslo_config import cfg  # noqa: E402

from cinder_lite import conf as configuration  # noqa: E402
from cinder_lite import db, errors
from cinder_lite.host import effective_user, release  # noqa: E402
from cinder_lite.manage import (
    REFUSED,
    Commands,
    Failed,
    api_surface,
    database,
    doctor,
    export,
    hosts,
    import_cinder,
    jobs,
    quotas,
    services,
    settings,
    upgrade,
)
from cinder_lite.service import process
from cinder_lite.service.interfaces import INTERFACES

COMMANDS: Commands = {words: command for group in (
    database, services, quotas, jobs, hosts, settings, upgrade, doctor, export, import_cinder, api_surface)
    for words, command in group.COMMANDS.items()}


def _parser():
    files = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    for option in ("--config-file", "--config-dir"):
        files.add_argument(option, action="append", metavar="PATH", help="as for the services")
    parser = argparse.ArgumentParser(prog="cinder-lite-manage", description=__doc__.partition(": ")[2], parents=[files])
    parser.add_argument("--version", action="version", version=f"%(prog)s {release.version()}")
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


def _run(args):
    options = [f"--{name.replace('_', '-')}={path}" for name in ("config_file", "config_dir")
               for path in getattr(args, name, ())]
    conf = configuration.load(options, prog="cinder-lite-manage")
    with effective_user.as_owner(conf.state_path):
        return _work(process.Process(conf, INTERFACES), args)


def _work(shared, args):
    try:
        if args.needs_schema:
            database.expect_schema(shared)
        return args.function(shared, args)
    except db.ERRORS as error:
        url = shared.db.url.render_as_string(hide_password=True)
        raise Failed(f"the database at {url} cannot be used: {database.reason(error)}") from error
    finally:
        shared.close()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command. Returns the exit status: 0, 1 if a problem was found, 2 if the command failed."""
    parser = _parser()
    for word in sys.argv[1:] if argv is None else argv:
        if not word.isprintable():
            parser.error(f"{word!a} has characters that cannot be printed")
    args = parser.parse_args(argv)
    # The command prints its errors itself; without a handler, logging would print them again.
    logging.basicConfig(handlers=[logging.NullHandler()])
    try:
        return _run(args)
    except (Failed, errors.Error, errors.Misconfigured, cfg.Error, OSError) as error:
        print(f"cinder-lite-manage: {error}", file=sys.stderr)
    except Exception as error:  # noqa: BLE001 - the outermost handler: one line and an exit status
        print(f"cinder-lite-manage: unexpected {type(error).__name__}: {error}", file=sys.stderr)
    return REFUSED


def command() -> None:
    """Run the command and end the process at once: waiting threads must not wake up while the interpreter shuts
    down."""
    status = main()
    try:
        sys.stdout.flush()
    except OSError as error:
        print(f"cinder-lite-manage: {error}", file=sys.stderr)
        status = REFUSED
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    command()
