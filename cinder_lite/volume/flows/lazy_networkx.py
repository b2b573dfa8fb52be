"""Imports networkx without its algorithms, to save memory: taskflow uses the graph classes and a few functions.

`import networkx` executes 285 modules, which take 14 MB in each process. Here its packages of algorithms are placed in
sys.modules without being executed; access to a name that is not in NEEDED executes all of them.
"""

import importlib.machinery
import importlib.util
import os
import sys
import types
import typing

PACKAGES = ("generators", "readwrite", "algorithms", "linalg", "drawing")
#: Names that taskflow uses -> the modules that define them.
NEEDED = {"compose": "networkx.algorithms.operators.binary", "compose_all": "networkx.algorithms.operators.all",
          "topological_sort": "networkx.algorithms.dag", "nx_pydot": "networkx.drawing.nx_pydot"}


def install() -> None:
    """Import networkx without its algorithms. Does nothing if it is imported already or has another layout."""
    found = importlib.util.find_spec("networkx")
    if "networkx" in sys.modules or not found or not found.origin:
        return
    folder = os.path.dirname(found.origin)
    specs = [spec for name in PACKAGES
             if (spec := importlib.machinery.PathFinder.find_spec(f"networkx.{name}", [folder])) is not None]
    if len(specs) < len(PACKAGES):
        return
    packages = [importlib.util.module_from_spec(spec) for spec in specs]
    for package in packages:
        package.__getattr__ = LazyModule(packages, package)  # type: ignore[method-assign]
        sys.modules[package.__name__] = package
    import networkx

    networkx.__getattr__ = LazyModule(packages, networkx)


class LazyModule:
    """The `__getattr__` of a module (PEP 562) that imports the module of a missing name."""

    def __init__(self, packages: list[types.ModuleType], module: types.ModuleType) -> None:
        self.packages, self.module = packages, module

    def __call__(self, name: str) -> typing.Any:
        if name in NEEDED:
            part = importlib.import_module(NEEDED[name])
            value = getattr(part, name, part)
        elif name.startswith("__"):
            raise AttributeError(f"module {self.module.__name__!r} has no attribute {name!r}")
        else:
            value = self._import_all(name)
        setattr(self.module, name, value)
        return value

    def _import_all(self, name):
        networkx = sys.modules["networkx"]
        pending = list(self.packages)
        self.packages.clear()
        for package in pending:
            del package.__getattr__
            package.__spec__.loader.exec_module(package)
        for package in pending:
            public = getattr(package, "__all__", None) or [key for key in vars(package) if not key.startswith("_")]
            vars(networkx).update((key, getattr(package, key)) for key in public if key not in vars(networkx))
        if name not in vars(self.module):
            raise AttributeError(f"module {self.module.__name__!r} has no attribute {name!r}")
        return vars(self.module)[name]
