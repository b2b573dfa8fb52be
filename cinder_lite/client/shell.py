"""cinder-lite: python-cinderclient's commands with a local service as default, `--wait`, `explain`, `jobs`, `doctor`, `top`."""

import argparse
import contextlib
import functools
import io
import os
import sys

import requests
from cinderclient import exceptions, shell, utils
from keystoneauth1 import exceptions as session_errors

from cinder_lite import states
from cinder_lite.client import doctor, explain, jobs, local, several, tables, waiting
from cinder_lite.host import release

#: What cinderclient says of a request that is not done yet.
ACCEPTED = "has been accepted"
DESCRIPTION = """Command-line interface to cinder-lite, a block storage service: the commands of `cinder` and
`explain`, `jobs`, `doctor`, `top` and the option --wait of what takes time. Without OS_* variables it talks to the service on this
machine."""


class Shell(shell.OpenStackCinderShell):
    """cinderclient's shell; methods named do_* are commands of their own."""

    def __init__(self, environ=os.environ, output=None):
        super().__init__()
        self._environ, self._argv = environ, []
        self._output = output or tables.Output()

    def main(self, argv):
        self._argv = local.words(argv)
        return super().main(self._argv)

    def get_base_parser(self):
        parser = super().get_base_parser()
        parser.prog, parser.description = "cinder-lite", DESCRIPTION
        parser.epilog = 'Run "cinder-lite help SUBCOMMAND" for help on a subcommand.'
        # In place of cinderclient's own, as a group made now resolves it.
        parser.add_argument_group("release").add_argument("--version", action="version",
                                                          version=f"cinder-lite {release.version()}")
        parser.set_defaults(**local.defaults(self._environ, self._argv))
        return parser

    def _append_global_identity_args(self, parser):
        # Some ways to log in (http_basic) bring options that cinderclient declares too.
        parser.conflict_handler = "resolve"
        super()._append_global_identity_args(parser)

    def get_subcommand_parser(self, version, do_help=False, input_args=None):
        parser = super().get_subcommand_parser(version, do_help, input_args)
        for command in self.subcommands.values():
            several_of = several.argument(command)
            if several_of is not None:
                command.set_defaults(func=several.one_by_one(command.get_default("func"), several_of))
        for name in waiting.COMMANDS.keys() & self.subcommands.keys():
            command = self.subcommands[name]
            command.add_argument("--wait", action="store_true",
                                 help="Wait until it is done, with a progress bar; exit status 1 when it fails.")
            command.set_defaults(func=functools.partial(self._run, name, command.get_default("func")))
        return parser

    def _run(self, name, function, cs, args):
        """Run a command that can wait. What it makes is shown when it is made, in place of what was accepted."""
        if not args.wait:
            return function(cs, args)
        recorder = waiting.Recorder(cs.client)
        shows = waiting.COMMANDS[name]
        said, ended = io.StringIO(), {}
        try:
            with contextlib.redirect_stdout(said):
                function(cs, args)
        finally:
            # Of several resources some may have been accepted before one was refused.
            try:
                ended = waiting.wait(cs, recorder.accepted)
            finally:
                if not shows:
                    self._tell(said.getvalue(), ended)
                failed = [job for done in ended.values() for job in done if waiting.lost(job)]
                if failed and sys.exc_info()[0]:
                    print(waiting.reason(failed), file=sys.stderr)
        if shows and recorder.accepted:
            show, argument = shows
            self.subcommands[show].get_default("func")(
                cs, argparse.Namespace(**{argument: recorder.accepted[0].resource_id}))
        return waiting.raise_on(failed)

    @staticmethod
    def _tell(said, ended):
        """What the command has said; in place of that requests have been accepted, which of them are done."""
        lines = said.splitlines()
        for line in lines:
            if ACCEPTED not in line:
                print(line)
        if any(ACCEPTED in line for line in lines):
            for one, done in ended.items():
                if not any(map(waiting.lost, done)):
                    what = f"{done[-1]['action'].replace('_', ' ')} of " if done else ""
                    print(f"{what}{one.kind} {one.resource_id} is done.")

    @utils.arg("resource", metavar="<volume|snapshot|backup>",
               help="Name or ID; of one that is gone, its ID.")
    @utils.arg("--json", action="store_true", help="Print everything as JSON.")
    def do_explain(self, cs, args):
        """Shows what has happened to a volume, snapshot or backup, and why."""
        known = explain.gather(cs, args.resource)
        if args.json:
            self._output.document(known)
        else:
            explain.write(self._output, known)

    @utils.arg("--all-projects", action="store_true", help="Show jobs of all projects (administrators).")
    @utils.arg("--status", choices=(states.QUEUED, states.RUNNING, states.SUCCEEDED, states.FAILED),
               help="Show jobs of this status only.")
    @utils.arg("--resource", metavar="<id>", help="Show jobs of this volume, snapshot or backup only.")
    @utils.arg("--limit", metavar="<number>", type=int, default=50, help="Show at most so many, the newest (50).")
    @utils.arg("--json", action="store_true", help="Print them as JSON, as the API shows them.")
    def do_jobs(self, cs, args):
        """Lists what is being done and was done: how far, for whom, since when, where."""
        found = jobs.Jobs(cs).list(status=args.status, resource_id=args.resource, limit=args.limit,
                                   all_tenants=1 if args.all_projects else None)
        if args.json:
            self._output.document(found)
            return
        columns = ["Action", "ID", "Status", "Progress", "Since", "Took", "Host", "Attempts", "User"]
        rows = [self._row(job) for job in found]
        if args.all_projects:
            columns.append("Project")
            rows = [[*row, job["project_id"]] for row, job in zip(rows, found)]
        self._output.table(columns, rows)

    @utils.arg("--json", action="store_true", help="Print everything as JSON.")
    def do_doctor(self, cs, args):
        """Tells administrators what is wrong with services, backends, database and broker; exit status 1 when something is."""
        found = doctor.gather(cs)
        if args.json:
            self._output.document(found)
        else:
            doctor.write(self._output, found)
        if found["problems"]:
            sys.exit(1)

    @utils.arg("--interval", metavar="<seconds>", type=float, default=1.0, help="Time between two looks (1).")
    @utils.arg("--once", action="store_true", help="Show it once and end, as where the output is no terminal.")
    def do_top(self, cs, args):
        """Shows administrators services, pools and running jobs with their progress and rate, until q is typed."""
        from cinder_lite.client import top

        top.run(top.Top(cs, cs.client.get_endpoint()), max(0.1, args.interval), args.once)

    def _row(self, job):
        took = tables.duration(tables.seconds(job["created_at"], job["finished_at"]))
        return [f"{job['action']} {job['kind']}", job["resource_id"], job["status"], self._output.bar(job["progress"]),
                job["created_at"][:19], took, job["host"] or job["stage"], str(job["attempt"]), job["user_id"] or "-"]


def main():
    try:
        sys.exit(Shell().main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
    except (requests.exceptions.ConnectionError, session_errors.ConnectFailure) as error:
        where = local.defaults(os.environ, sys.argv[1:]).get("os_endpoint")
        sys.exit(f"ERROR: Nobody answers at {where}. Start a service (tools/quickstart does), or name another by "
                 "CINDER_LITE_ENDPOINT." if where else f"ERROR: {error}")
    except (exceptions.ClientException, exceptions.CommandError, exceptions.UnsupportedVersion,
            exceptions.UnsupportedAttribute, session_errors.ClientException) as error:
        sys.exit(f"ERROR: {str(error) or type(error).__name__}")
    except BrokenPipeError:
        # Whoever reads has had enough. What is left to be written at the end has nobody either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        # The outermost of a command: most is a wrong argument that cinderclient took.
        if "--debug" in sys.argv:
            raise
        sys.exit(f"ERROR: {str(error) or type(error).__name__}")


if __name__ == "__main__":
    main()
