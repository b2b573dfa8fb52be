"""Runs commands that take several resources for each one by itself; one failure makes the whole command fail."""

import argparse
import functools
from collections.abc import Callable
from typing import Any

from cinderclient import exceptions

#: Names of arguments that take several resources.
RESOURCES = ("volume", "snapshot", "backup", "transfer", "group", "group_snapshot", "message", "consistencygroup",
             "cgsnapshot", "vol_type", "group_type", "entity", "attachment", "qos_specs")

#: A command: function(cs, args).
Command = Callable[[Any, argparse.Namespace], Any]


def argument(command: argparse.ArgumentParser) -> str | None:
    """The name of the argument of a command's parser that takes several resources, or None."""
    return next((one.dest for one in command._actions
                 if not one.option_strings and one.nargs == "+" and one.dest in RESOURCES), None)


def for_each(function: Command, name: str) -> Command:
    """`function(cs, args)`, called for each value of the argument. Raises CommandError, which names the failed ones.

    cinderclient's own loop succeeds if one of them does.
    """
    @functools.wraps(function)
    def run(cs: Any, args: argparse.Namespace) -> Any:
        values = getattr(args, name)
        if len(values) < 2:
            return function(cs, args)
        failed = []
        for value in values:
            try:
                function(cs, argparse.Namespace(**{**vars(args), name: [value]}))
            except (exceptions.CommandError, exceptions.ClientException) as error:
                failed.append(f"{value} ({' '.join(str(error).split())})")
        if failed:
            raise exceptions.CommandError(f"{len(failed)} of {len(values)} failed: {', '.join(failed)}")
        return None

    return run
