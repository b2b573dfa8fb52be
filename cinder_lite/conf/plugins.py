"""Loads the entry points of installed packages: drivers, targets, stores, routes, policies, options and others."""

import functools
import importlib
import logging
from collections.abc import Callable
from importlib import metadata
from typing import Any

from oslo_config import cfg

from cinder_lite import errors

LOG = logging.getLogger(__name__)


def function(name: str) -> Callable[..., Any]:
    """The function of that name, "module:function". Raises Misconfigured when there is none."""
    module, _, attribute = name.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise errors.Misconfigured(f"there is no function {name}: {error}") from error


@functools.cache
def _installed() -> tuple[metadata.EntryPoint, ...]:
    """All entry points of the environment, which is read once in a process."""
    return tuple(one for distribution in metadata.distributions() for one in distribution.entry_points)


def _of(namespace: str) -> dict[str, metadata.EntryPoint]:
    """{name: entry point}, sorted by name; of several with one name the first in sys.path."""
    found: dict[str, metadata.EntryPoint] = {}
    for one in _installed():
        if one.group == namespace:
            found.setdefault(one.name, one)
    return dict(sorted(found.items()))


def load(namespace: str, name: str, translated: dict[str, str] | None = None) -> Any:
    """The object of that entry point, or the class of that dotted path; Misconfigured when there is none.

    `translated` are other names: {theirs: ours}.
    """
    name = (translated or {}).get(name, name)
    if "." in name:
        return _at_path(name)
    found = _of(namespace)
    if name not in found:
        raise errors.Misconfigured(f"there is no '{name}'; there are: {', '.join(found)}")
    return _loaded(found[name])


def every(namespace: str) -> dict[str, Any]:
    """{name: object} of all entry points of a namespace; Misconfigured when one of them cannot be loaded."""
    return {name: _loaded(one) for name, one in _of(namespace).items()}


def names(namespace: str) -> list[str]:
    """The names of a namespace's entry points, in order. Loads none."""
    return list(_of(namespace))


@functools.cache
def options(*namespaces: str) -> tuple[cfg.Opt, ...]:
    """The OPTIONS of all classes in the namespaces, each name once. A class that cannot be loaded is left out: whoever
    configures it gets the error."""
    found: dict[str, cfg.Opt] = {}
    for namespace in namespaces:
        for one in _of(namespace).values():
            try:
                declared = _loaded(one).OPTIONS
            except errors.Misconfigured as error:
                LOG.debug("%s", error)
                continue
            for option in declared:
                found.setdefault(option.name, option)
    return tuple(found.values())


def origin(namespace: str, name: str) -> str:
    """Which entry point of which distribution it is, for messages."""
    return _described(_of(namespace)[name])


def _described(one: metadata.EntryPoint) -> str:
    distribution = f"{one.dist.name} {one.dist.version}" if one.dist is not None else "unknown"
    return f"the entry point '{one.name} = {one.value}' in {one.group} of the distribution {distribution}"


def _loaded(one: metadata.EntryPoint) -> Any:
    try:
        return one.load()
    except Exception as error:
        # The code is somebody else's, and may fail in any way while it is imported.
        raise errors.Misconfigured(f"'{one.name}' cannot be loaded: {_described(one)} raises {type(error).__name__}: "
                                   f"{error}") from error


def _at_path(path: str) -> Any:
    module, _, name = path.rpartition(".")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise errors.Misconfigured(f"there is no class {path}: {error}") from error
