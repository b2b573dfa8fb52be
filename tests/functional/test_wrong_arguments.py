"""Invalid arguments of every command and option: one line and an exit status, never a traceback."""

import argparse
import contextlib
import io
import os
import sys

import pytest
from cinderclient import api_versions
from cinderclient.v3 import shell as commands_of_cinder

from cinder_lite.client import local, shell
from cinder_lite.cmd import manage
from tests.functional.service import Service

pytestmark = pytest.mark.once

#: No name, number, pair, id, URL or path of anything; bytes that are no text come as a surrogate.
ODD, BYTES = "{[☃:=%2F", "{[☃:\udcff=%2F"
#: Commands that would do something for real, or never end.
LEFT_OUT = {"top", "help", "bash-completion"}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Odd words that name files to be written name them in a directory of the test."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def service():
    with Service(backends=("null-1",), target=False) as running:
        yield running


@pytest.fixture(scope="module")
def run(service):
    """Types a command line in this process: (exit status, output, errors)."""
    def type_in(*words):
        out, wrong = io.StringIO(), io.StringIO()
        before = sys.argv, dict(os.environ)
        commands_of_cinder.AppendFilters.filters = []  # what cinderclient keeps from one command line to the next
        sys.argv = ["cinder-lite", *words]
        os.environ["CINDER_LITE_ENDPOINT"] = service.url
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(wrong):
                try:
                    shell.main()
                    status = 0
                except SystemExit as end:
                    status = end.code
                    if isinstance(status, str):
                        print(status, file=sys.stderr)
                        status = 1
        finally:
            sys.argv = before[0]
            os.environ.clear()
            os.environ.update(before[1])
        return status or 0, out.getvalue(), wrong.getvalue()

    return type_in


def commands():
    """{name: parser} of the client's."""
    made = shell.Shell(environ={})
    made.extensions = []
    made.get_subcommand_parser(api_versions.APIVersion("3.71"), input_args=[])
    return made.subcommands


def lines(parser):
    """Command lines for it: without arguments, with wrong arguments, and with each option wrong."""
    needed = [ODD if one.choices is None else str(next(iter(one.choices))) for one in parser._actions
              if not one.option_strings and one.nargs not in ("?", "*", argparse.PARSER)]
    yield []
    yield needed
    yield [word.replace(ODD, BYTES) for word in needed]
    for action in parser._actions:
        if action.option_strings and action.nargs != 0 and "help" not in action.dest:
            yield [*needed, f"{action.option_strings[-1]}={ODD}"]


@pytest.mark.parametrize("name", sorted(commands().keys() - LEFT_OUT))
def test_the_client(run, name):
    for words in lines(commands()[name]):
        status, out, wrong = run(name, *words)
        assert "Traceback" not in out + wrong, (name, words, wrong)
        if not status:
            continue
        assert status in (1, 2) and wrong.strip(), (name, words, status, wrong)
        if status == 1:
            assert wrong.startswith("ERROR: ") or "\nERROR: " in wrong, (name, words, wrong)


@pytest.mark.parametrize("words", [("list", "--sort", "foo"), ("list", "--limit", "x"), ("list", "--fields", "x,"),
                                   ("show", "absent"), ("create", "x"), ("extend", "absent", "x"),
                                   ("jobs", "--limit", "-1")])
def test_a_wrong_argument_is_reported_in_one_line(run, words):
    status, _, wrong = run(*words)
    if words[1] == "--fields":
        assert status == 0, wrong
        return
    assert status in (1, 2) and (status == 2 or len(wrong.strip().splitlines()) == 1), wrong


def test_an_endpoint_needs_no_version(run, service):
    assert run("--os-endpoint", service.url, "--os-auth-type", "noauth", "--os-user-id", "u", "--os-project-id", "p",
               "list")[0] == 0
    assert run("list")[0] == 0
    for url, whole in (("http://h:1", "http://h:1/v3"), ("http://h/", "http://h/v3"), ("http://h/v3", "http://h/v3"),
                       ("http://h/volume", "http://h/volume/v3"), ("http://h/v3/p", "http://h/v3/p"),
                       ("nonsense", "nonsense")):
        assert local.versioned(url) == whole


@pytest.mark.parametrize("words", sorted(manage.COMMANDS), ids=" ".join)
def test_the_administrator_s_command(here, words, capsys):
    _, arguments, _ = manage.COMMANDS[words]
    needed = [ODD for name, options in arguments if not name.startswith("-") and options.get("nargs") not in ("?", "*")]
    for odd in ([], needed, [BYTES] * len(needed)):
        options = [[], *([name, ODD] for name, more in arguments if name.startswith("-")
                         and not str(more.get("action", "")).startswith(
            "store_"))]
        for option in options:
            try:
                status = manage.main([*words, *odd, *option, "--config-file", here.conf_file])
            except SystemExit as end:
                status = end.code
            said = capsys.readouterr()
            assert status in (0, 1, 2), (words, odd, option)
            assert "Traceback" not in said.err, (words, odd, option)
            assert status == 0 or said.err.strip() or said.out.strip(), (words, odd, option)
