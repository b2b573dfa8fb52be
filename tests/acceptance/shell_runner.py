"""Runs commands of a client in one process: shell_runner.py cinder|openstack.

Each line of the input is a JSON list of arguments, each line of the output a JSON object: status, out, err.
["commands"] returns the names of the commands of the client. Runs in the environment of the clients. A process for
each command would spend most of its time on imports.
"""

import contextlib
import functools
import importlib.metadata
import io
import json
import sys
import traceback


def cinder(words):
    from cinderclient import shell

    sys.argv = ["cinder", *words]
    shell.main()


def openstack(words):
    return _openstack().run_subcommand(words)


@functools.cache
def _openstack():
    """The client as it is between the commands of one interactive run, which reads the environment and logs in once."""
    from openstackclient import shell

    app = shell.OpenStackShell()
    app.options, _ = app.parser.parse_known_args([])
    app.configure_logging()
    app.interactive_mode = True
    app.initialize_app([])
    return app


#: One of each for all commands: what the client logs to is the stream that there was when it began.
OUT, ERR = io.StringIO(), io.StringIO()


def run(main, words):
    status = 0
    for stream in (OUT, ERR):
        stream.seek(0)
        stream.truncate()
    with contextlib.redirect_stdout(OUT), contextlib.redirect_stderr(ERR):
        try:
            status = main(words) or 0
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 1 if end.code else 0
        except Exception:  # noqa: BLE001 - a command that dies is an answer too
            traceback.print_exc()
            status = 1
    return {"status": status, "out": OUT.getvalue(), "err": ERR.getvalue()}


def commands_of_cinder():
    from cinderclient import api_versions, shell

    found = shell.OpenStackCinderShell()
    found.get_subcommand_parser(api_versions.APIVersion(api_versions.MAX_VERSION), False, ["cinder", "help"])
    return sorted(found.subcommands)


def commands_of_openstack():
    """Those that are about this service."""
    return sorted(entry.name.replace("_", " ")
                  for entry in importlib.metadata.entry_points(group="openstack.volume.v3"))


if __name__ == "__main__":
    main, commands = {"cinder": (cinder, commands_of_cinder),
                      "openstack": (openstack, commands_of_openstack)}[sys.argv[1]]
    answers = sys.stdout
    for line in sys.stdin:
        asked = json.loads(line)
        answer = {"status": 0, "out": commands(), "err": ""} if asked == ["commands"] else run(main, asked)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
