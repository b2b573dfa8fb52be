"""Declare the methods that a service serves by RPC, and the version that added each."""

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

Method = TypeVar("Method", bound=Callable[..., Any])


def cast(method: Method) -> Method:
    """Mark an interface's method that returns nothing and that nobody waits for."""
    setattr(method, "rpc", "cast")  # noqa: B010 - functions take attributes, which types do not list
    return method


def call(method: Method) -> Method:
    """Mark an interface's method whose result, or error, the caller waits for."""
    setattr(method, "rpc", "call")  # noqa: B010
    return method


def since(version: str, **arguments: str) -> Callable[[Method], Method]:
    """Mark an interface's method with the version that added it, and its later arguments with those that added them.

    A message carries the version that it needs, not the newest: services of two releases understand each other in all
    that both support. A later argument has a default, and is left out of the message when it has that value.
    """
    def mark(method: Method) -> Method:
        setattr(method, "since", version)  # noqa: B010
        setattr(method, "later", arguments)  # noqa: B010
        return method

    return mark


class Interface:
    """The RPC methods of a service. `version` is MAJOR.MINOR: a new method or argument raises the minor number."""

    topic: str
    version: str


def methods(interface: type[Interface]) -> dict[str, str]:
    """{name: "cast" | "call"} of an interface."""
    return {name: member.rpc for name, member in inspect.getmembers(interface, inspect.isfunction)
            if hasattr(member, "rpc")}
