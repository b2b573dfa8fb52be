"""Postpones imports of modules that libraries import and few processes use, which saves their memory and time."""

import functools
import importlib.util
import inspect
import sys
import threading
import types
from typing import Any

_lock = threading.Lock()


class Postponed(types.ModuleType):
    """Stands for a module in sys.modules, and imports it when an attribute is used."""

    def __getattr__(self, name):
        # The import of a submodule reads __path__.
        if name.startswith("__") and (name != "__path__" or self.__spec__.submodule_search_locations is None):
            raise AttributeError(name)
        with _lock:
            if sys.modules.get(self.__name__) is self:
                del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)

    def _call(self, name, *args, **kwargs):
        return self.__getattr__(name)(*args, **kwargs)


def postpone(name: str, *functions: str, **attributes: Any) -> None:
    """Import the module only when it is used, if it is installed. These functions and attributes can be taken from it
    before; a call of the former imports it."""
    if name not in sys.modules and (spec := importlib.util.find_spec(name)):
        module = sys.modules[name] = Postponed(name)
        calls = {function: functools.partial(module._call, function) for function in functions}
        vars(module).update(attributes, **calls, __spec__=spec)


def postpone_all() -> None:
    """Postpone what libraries import for functions that the services seldom use."""
    for name in ("oslo_utils.strutils", "psutil", "rfc3986", "xmlrpc.client"):
        postpone(name)
    postpone("yaml", "safe_dump")
    # SQLAlchemy compares each error of a database with these two.
    cancelled = type("CancelledError", (BaseException,), {})
    postpone("asyncio", iscoroutine=inspect.iscoroutine, TimeoutError=TimeoutError, CancelledError=cancelled)
