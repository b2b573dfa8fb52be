"""Spares the memory of networkx, of which taskflow uses the graph classes and a few functions.

`import networkx` executes 285 modules, which take 14 MB in each process. Its packages of algorithms are put in place here
without being executed; the first name that is asked for and not in NEEDED executes all of them, so nothing is missing.
"""

import importlib.machinery
import importlib.util
import os
import sys

PACKAGES = ("generators", "readwrite", "algorithms", "linalg", "drawing")
#: What flows need, and the modules that have or are it.
NEEDED = {"compose": "networkx.algorithms.operators.binary", "compose_all": "networkx.algorithms.operators.all",
          "topological_sort": "networkx.algorithms.dag", "nx_pydot": "networkx.drawing.nx_pydot"}


def spare():
    """Import networkx without its algorithms. Does nothing when it is imported already or laid out otherwise."""
    found = importlib.util.find_spec("networkx")
    if "networkx" in sys.modules or not found or not found.origin:
        return
    folder = os.path.dirname(found.origin)
    specs = [importlib.machinery.PathFinder.find_spec(f"networkx.{name}", [folder]) for name in PACKAGES]
    if not all(specs):
        return
    packages = [importlib.util.module_from_spec(spec) for spec in specs]
    for package in packages:
        package.__getattr__ = _Later(packages, package)
        sys.modules[package.__name__] = package
    import networkx

    networkx.__getattr__ = _Later(packages, networkx)


class _Later:
    """What a module says of a name that it does not have: a module's `__getattr__` (PEP 562)."""

    def __init__(self, packages, module):
        self.packages, self.module = packages, module

    def __call__(self, name):
        if name in NEEDED:
            part = importlib.import_module(NEEDED[name])
            value = getattr(part, name, part)
        elif name.startswith("__"):
            raise AttributeError(f"module {self.module.__name__!r} has no attribute {name!r}")
        else:
            value = self._of_all(name)
        setattr(self.module, name, value)
        return value

    def _of_all(self, name):
        networkx = sys.modules["networkx"]
        waiting = list(self.packages)
        self.packages.clear()
        for package in waiting:
            del package.__getattr__
            package.__spec__.loader.exec_module(package)
        for package in waiting:
            public = getattr(package, "__all__", None) or [key for key in vars(package) if not key.startswith("_")]
            vars(networkx).update((key, getattr(package, key)) for key in public if key not in vars(networkx))
        if name not in vars(self.module):
            raise AttributeError(f"module {self.module.__name__!r} has no attribute {name!r}")
        return vars(self.module)[name]
