"""The command cinder-lite: python-cinderclient's commands, `--wait`, `explain`, `jobs`, `doctor` and `top`."""

import argparse
import contextlib
import functools
import io
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import requests
from cinderclient import exceptions, shell, utils
from keystoneauth1 import exceptions as session_errors

from cinder_lite import states
from cinder_lite.client import batch, doctor, explain, jobs, local, tables, waiting
from cinder_lite.host import release

#: The phrase in cinderclient's output for an accepted request.
ACCEPTED = "has been accepted"
DESCRIPTION = """Command-line client of cinder-lite, a block storage service: all commands of `cinder`, the
commands `explain`, `jobs`, `doctor` and `top`, and the option --wait. Without OS_* variables it uses the service on
this machine."""


class Shell(shell.OpenStackCinderShell):
    """cinderclient's shell; the methods named do_* are additional commands."""

    def __init__(self, environ: Mapping[str, str] = os.environ, output: tables.Output | None = None) -> None:
        super().__init__()
        self._environ = environ
        self._argv: list[str] = []
        self._output = output or tables.Output()

    def main(self, argv: Sequence[str]) -> Any:
        self._argv = local.with_versioned_endpoint(argv)
        return super().main(self._argv)

    def get_base_parser(self) -> argparse.ArgumentParser:
        parser = super().get_base_parser()
        parser.prog, parser.description = "cinder-lite", DESCRIPTION
        parser.epilog = 'Run "cinder-lite help SUBCOMMAND" for help on a subcommand.'
        # Replaces cinderclient's option: a new group resolves the conflict.
        parser.add_argument_group("release").add_argument("--version", action="version",
                                                          version=f"cinder-lite {release.version()}")
        parser.set_defaults(**local.defaults(self._environ, self._argv))
        return parser

    def _append_global_identity_args(self, parser):
        # Some authentication plugins (http_basic) declare options that cinderclient declares too.
        parser.conflict_handler = "resolve"
        super()._append_global_identity_args(parser)

    def get_subcommand_parser(self, version: Any, do_help: bool = False,
                              input_args: Any = None) -> argparse.ArgumentParser:
        parser = super().get_subcommand_parser(version, do_help, input_args)
        for command in self.subcommands.values():
            resources = batch.argument(command)
            if resources is not None:
                command.set_defaults(func=batch.for_each(command.get_default("func"), resources))
        for name in waiting.COMMANDS.keys() & self.subcommands.keys():
            command = self.subcommands[name]
            command.add_argument("--wait", action="store_true",
                                 help="Wait until the operation has completed, and show its progress; "
                                      "the exit status is 1 if it fails.")
            command.set_defaults(func=functools.partial(self._run, name, command.get_default("func")))
        return parser

    def _run(self, name: str, function: batch.Command, cs: Any, args: argparse.Namespace) -> Any:
        """Run a command that can wait. A new resource is shown after its completion, in place of its first state."""
        if not args.wait:
            return function(cs, args)
        recorder = waiting.Recorder(cs.client)
        shows = waiting.COMMANDS[name]
        printed = io.StringIO()
        ended: dict[waiting.Accepted, jobs.JobList] = {}
        try:
            with contextlib.redirect_stdout(printed):
                function(cs, args)
        finally:
            # Of several resources some may have been accepted before one was refused.
            try:
                ended = waiting.wait(cs, recorder.accepted)
            finally:
                if not shows:
                    self._print_result(printed.getvalue(), ended)
                failed = [job for found in ended.values() for job in found if waiting.has_failed(job)]
                if failed and sys.exc_info()[0]:
                    print(waiting.failure_message(failed), file=sys.stderr)
        if shows and recorder.accepted:
            show, argument = shows
            self.subcommands[show].get_default("func")(
                cs, argparse.Namespace(**{argument: recorder.accepted[0].resource_id}))
        return waiting.raise_if_failed(failed)

    @staticmethod
    def _print_result(printed: str, ended: Mapping[waiting.Accepted, jobs.JobList]) -> None:
        """Print the output of the command, with the completed requests in place of the accepted ones."""
        lines = printed.splitlines()
        for line in lines:
            if ACCEPTED not in line:
                print(line)
        if any(ACCEPTED in line for line in lines):
            for one, found in ended.items():
                if not any(map(waiting.has_failed, found)):
                    action = f"{found[-1]['action'].replace('_', ' ')} of " if found else ""
                    print(f"{action}{one.kind} {one.resource_id} completed.")

    @utils.arg("resource", metavar="<volume|snapshot|backup>",
               help="Name or ID; the ID if the resource has been deleted.")
    @utils.arg("--json", action="store_true", help="Print as JSON.")
    def do_explain(self, cs: Any, args: argparse.Namespace) -> None:
        """Shows the jobs and messages of a volume, snapshot or backup, with the reasons of decisions and failures."""
        known = explain.gather(cs, args.resource)
        if args.json:
            self._output.document(known)
        else:
            explain.write(self._output, known)

    @utils.arg("--all-projects", action="store_true", help="Show jobs of all projects (administrators only).")
    @utils.arg("--status", choices=(states.QUEUED, states.RUNNING, states.SUCCEEDED, states.FAILED),
               help="Show jobs in this status only.")
    @utils.arg("--resource", metavar="<id>", help="Show jobs of this volume, snapshot or backup only.")
    @utils.arg("--limit", metavar="<number>", type=int, default=50,
               help="Number of jobs to show, the newest first (default: 50).")
    @utils.arg("--json", action="store_true", help="Print the jobs as JSON, as the API returns them.")
    def do_jobs(self, cs: Any, args: argparse.Namespace) -> None:
        """Lists current and past jobs with their progress, duration, host and user."""
        found = jobs.Jobs(cs).list(status=args.status, resource_id=args.resource, limit=args.limit,
                                   all_tenants=1 if args.all_projects else None)
        if args.json:
            self._output.document(found)
            return
        columns = ["Action", "ID", "Status", "Progress", "Created", "Duration", "Host", "Attempts", "User"]
        rows = [self._row(job) for job in found]
        if args.all_projects:
            columns.append("Project")
            rows = [[*row, job["project_id"]] for row, job in zip(rows, found)]
        self._output.table(columns, rows)

    @utils.arg("--json", action="store_true", help="Print as JSON.")
    def do_doctor(self, cs: Any, args: argparse.Namespace) -> None:
        """Checks services, backends, database and broker (administrators only); exits with 1 if there are problems."""
        found = doctor.gather(cs)
        if args.json:
            self._output.document(found)
        else:
            doctor.write(self._output, found)
        if found["problems"]:
            sys.exit(1)

    @utils.arg("--interval", metavar="<seconds>", type=float, default=1.0, help="Seconds between updates (default: 1).")
    @utils.arg("--once", action="store_true",
               help="Print the state once and exit; the default if the output is not a terminal.")
    def do_top(self, cs: Any, args: argparse.Namespace) -> None:
        """Shows services, pools and running jobs, updated until q is pressed (administrators only)."""
        # Imported on demand: it needs a terminal's modules, which no other command does.
        from cinder_lite.client import top

        top.run(top.Top(cs, cs.client.get_endpoint()), max(0.1, args.interval), args.once)

    def _row(self, job: jobs.Job) -> list[str]:
        took = tables.duration(tables.seconds(job["created_at"], job["finished_at"]))
        return [f"{job['action']} {job['kind']}", job["resource_id"], job["status"], self._output.bar(job["progress"]),
                job["created_at"][:19], took, job["host"] or job["stage"], str(job["attempt"]), job["user_id"] or "-"]


def main() -> None:
    try:
        sys.exit(Shell().main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
    except (requests.exceptions.ConnectionError, session_errors.ConnectFailure) as error:
        where = local.defaults(os.environ, sys.argv[1:]).get("os_endpoint")
        sys.exit(f"ERROR: Cannot connect to {where}. Start a service, for example by tools/quickstart, or set "
                 "CINDER_LITE_ENDPOINT to the URL of another one." if where else f"ERROR: {error}")
    except (exceptions.ClientException, exceptions.CommandError, exceptions.UnsupportedVersion,
            exceptions.UnsupportedAttribute, session_errors.ClientException) as error:
        sys.exit(f"ERROR: {str(error) or type(error).__name__}")
    except BrokenPipeError:
        # The reader has closed the pipe: discard the rest, also what Python flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        # The outermost level of a command: usually an invalid argument that cinderclient accepted.
        if "--debug" in sys.argv:
            raise
        sys.exit(f"ERROR: {str(error) or type(error).__name__}")


if __name__ == "__main__":
    main()
