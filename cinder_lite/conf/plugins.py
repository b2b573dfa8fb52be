"""Plugins, as settings name them: an entry point, the path of a class, or what Cinder calls it."""

import importlib

from stevedore import driver, extension
from stevedore import exception as stevedore_errors

from cinder_lite import errors


def load(namespace, name, translated=None):
    """The class of that name; Misconfigured when there is none. `translated` are other names: {theirs: ours}."""
    name = (translated or {}).get(name, name)
    try:
        if "." in name:
            module, _, of_class = name.rpartition(".")
            return getattr(importlib.import_module(module), of_class)
        return driver.DriverManager(namespace, name, warn_on_missing_entrypoint=False).driver
    except stevedore_errors.NoMatches as error:
        known = ", ".join(sorted(extension.ExtensionManager(namespace).names()))
        raise errors.Misconfigured(f"there is no '{name}'; there are: {known}") from error
    except (ImportError, AttributeError, ValueError) as error:
        raise errors.Misconfigured(f"there is no class {name}: {error}" if "." in name else
                                   f"'{name}' cannot be loaded: {error}") from error
