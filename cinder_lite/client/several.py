"""Commands that take several resources: each is tried by itself, and one that fails makes the whole command fail."""

import argparse
import functools

from cinderclient import exceptions

#: Names of arguments of which there may be several, each a resource.
RESOURCES = ("volume", "snapshot", "backup", "transfer", "group", "group_snapshot", "message", "consistencygroup", "cgsnapshot",
             "vol_type", "group_type", "entity", "attachment", "qos_specs")


def argument(command):
    """The name of the argument of a command's parser that takes several resources, or None."""
    return next((one.dest for one in command._actions
                 if not one.option_strings and one.nargs == "+" and one.dest in RESOURCES), None)


def one_by_one(function, name):
    """`function(cs, args)`, called for each value of the argument; CommandError names those for which it failed.

    What cinderclient does with several is a success as long as one of them is.
    """
    @functools.wraps(function)
    def run(cs, args):
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
