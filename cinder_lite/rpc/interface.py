"""Declare the methods that a service serves by RPC, and the version that added each."""

import inspect
from collections.abc import Callable, Mapping
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


def needed(method: Callable[..., Any], arguments: Mapping[str, Any], first: str) -> tuple[str, dict[str, Any]]:
    """The version that a message needs and the arguments that it carries; `first` is the version of unmarked
    methods."""
    defaults = {name: parameter.default for name, parameter in inspect.signature(method).parameters.items()}
    marked = getattr(method, "later", {})
    later = {name: version for name, version in marked.items()
             if name in arguments and arguments[name] != defaults[name]}
    sent = {name: value for name, value in arguments.items() if name in later or name not in marked}
    versions = (getattr(method, "since", first), *later.values(), first)
    return max(versions, key=lambda text: [*map(int, text.split("."))]), sent
