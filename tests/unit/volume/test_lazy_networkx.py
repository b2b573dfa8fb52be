"""The lazy import of networkx; each case in a separate Python process."""

import subprocess
import sys

import pytest

#: Modules of networkx, and whether a module of algorithms that no flow needs is among them.
COUNT = "print(sum(name.startswith('networkx') for name in sys.modules), 'networkx.algorithms.clique' in sys.modules)"
FLOW = """
import logging, sys
from cinder_lite import concurrency
concurrency.patch()
from cinder_lite.volume.flows import engine

class Double(engine.Step):
    default_provides = "doubled"
    def execute(self, number):
        return 2 * number

class Add(engine.Step):
    default_provides = "added"
    def execute(self, number, doubled):
        return number + doubled

print(engine.run(engine.Flow("sum", Double(), Add()), logging.getLogger(), number=7)["added"])
"""
SPARED = "import sys; from cinder_lite.volume.flows import lazy_networkx; lazy_networkx.install(); import networkx\n"


def python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True).stdout


def test_flow_runs_without_the_algorithms():
    result, modules, algorithms = python(FLOW + COUNT).split()
    assert (result, algorithms) == ("21", "False")
    assert int(modules) < 60


@pytest.mark.parametrize("expression", [
    "len(networkx.find_cliques.__name__)",
    "sorted(networkx.dfs_preorder_nodes(networkx.path_graph(3)))",
    "networkx.algorithms.is_directed_acyclic_graph(networkx.DiGraph([(1, 2)]))",
    "list(networkx.topological_sort(networkx.DiGraph([(1, 2), (2, 3)])))",
    "networkx.drawing.layout.__name__",
    "networkx.cycles.__name__",
    "sorted(networkx.generators.__all__)[:3] if hasattr(networkx.generators, '__all__') else 0",
])
def test_other_attributes_are_loaded_on_demand(expression):
    assert python(f"{SPARED}print({expression})") == python(f"import networkx; print({expression})")


def test_all_names_of_networkx_are_there():
    names = "[name for name in dir(networkx) if not name.startswith('_')]"
    assert python(f"{SPARED}networkx.find_cliques; print({names})") == python(f"import networkx; print({names})")


def test_missing_attributes_are_refused():
    assert "has no attribute 'colour'" in python(
        f"{SPARED}\ntry:\n    networkx.colour\nexcept AttributeError as error:\n    print(error)")
