"""Interfaces: what a service can be asked, and since which version."""

import inspect


def cast(method):
    """Mark an interface's method that nobody waits for."""
    method.rpc = "cast"
    return method


def call(method):
    """Mark an interface's method whose result, or error, the caller waits for."""
    method.rpc = "call"
    return method


def since(version, **arguments):
    """Mark an interface's method with the version that added it, and its later arguments with those that added them.

    A message says the version that it needs, not the newest: services of two releases understand each other in all that
    both know. A later argument has a default, and is left out of the message when it has that value.
    """
    def mark(method):
        method.since, method.later = version, arguments
        return method

    return mark


class Interface:
    """What a service can be asked. `version` is MAJOR.MINOR: a new method or argument raises the minor number."""

    topic: str
    version: str


def methods(interface):
    """{name: "cast" | "call"} of an interface."""
    return {name: member.rpc for name, member in inspect.getmembers(interface, inspect.isfunction)
            if hasattr(member, "rpc")}
