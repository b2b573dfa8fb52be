"""What actions hold is claimed and released in jobs/holds alone: the functions that write it are found by its calls."""

import ast
import functools

import pytest

from cinder_lite import states
from tests.meta import source

HOLDS = "cinder_lite.jobs.holds"
#: Modules that write what holds claim, but not only for holds -> why.
SHARED = {"cinder_lite.db.connections": "the access of hosts is revoked on other occasions, too"}
#: Name of a Lifecycle in jobs/lifecycle.py -> its kind.
LIFECYCLES = {kind.upper(): kind for kind in states.ACTIONS if kind not in states.STATELESS}


class Code:
    """The functions of modules, given as {dotted name: tree}, and the calls between them."""

    def __init__(self, trees):
        self.trees = trees
        self.names = {name: self._imported(tree) for name, tree in trees.items()}
        self.functions = {(name, function.name): function for name, tree in trees.items() for function in tree.body
                          if isinstance(function, ast.FunctionDef)}

    @staticmethod
    def _imported(tree):
        return {alias.asname or alias.name: f"{node.module}.{alias.name}" for node in ast.walk(tree)
                if isinstance(node, ast.ImportFrom) for alias in node.names}

    def calls(self, module, node):
        """(line, (module, function)) of the calls in a node of functions of the modules."""
        for call in ast.walk(node):
            if not isinstance(call, ast.Call):
                continue
            if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name):
                called = self.names[module].get(call.func.value.id, ""), call.func.attr
            elif isinstance(call.func, ast.Name):
                found = self.names[module].get(call.func.id, f"{module}.{call.func.id}")
                called = found.rpartition(".")[0], call.func.id
            else:
                continue
            if called in self.functions:
                yield call.lineno, called

    def reached(self, starts, inside):
        """The functions that are called from nodes, given as (module, node), and by those that are `inside`."""
        found, left = set(), list(starts)
        while left:
            module, node = left.pop()
            for _, called in self.calls(module, node):
                if called not in found:
                    found.add(called)
                    if inside(called[0]):
                        left.append((called[0], self.functions[called]))
        return found

    def writes(self, function):
        """Whether a function changes rows, itself or by what it calls."""
        reached = {function, *self.reached([(function[0], self.functions[function])], lambda _: True)}
        return any(isinstance(node, ast.Call) and ast.unparse(node.func) in ("sa.update", "sa.insert", "sa.delete")
                   for one in reached for node in ast.walk(self.functions[one]))

    def held(self):
        """The functions outside jobs/holds by which holds write what only they may."""
        methods = [(name, method) for name, tree in self.trees.items() if name.startswith(HOLDS)
                   for node in tree.body if isinstance(node, ast.ClassDef) for method in node.body
                   if isinstance(method, ast.FunctionDef)]
        claims = self._written([*((name, method) for name, method in methods if method.name in ("claim", "placed")),
                                (f"{HOLDS}.claims", self.functions[f"{HOLDS}.claims", "place"])])
        modules = {module for module, _ in claims}
        return claims | {one for one in self._written(methods) if one[0] in modules}

    def _written(self, starts):
        reached = self.reached(starts, lambda module: module.startswith(HOLDS))
        return {one for one in reached if not one[0].startswith(HOLDS) and one[0] not in SHARED and self.writes(one)}

    def misplaced(self):
        """(module, line, function) of the calls of these functions from modules that have none of them."""
        held = self.held()
        own = {module for module, _ in held}
        return [(name, line, called) for name, tree in self.trees.items()
                if not name.startswith(HOLDS) and name not in own
                for line, called in self.calls(name, tree) if called in held]


@functools.cache
def ours():
    trees = {module.name.removesuffix(".py").replace("/", ".").removesuffix(".__init__"): module.tree
             for module in source.modules("cinder_lite")}
    return Code(trees)


def begun(tree):
    """(line, text) of the calls that begin an action by its Lifecycle alone, unless its row holds nothing."""
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
            continue
        owner, method = ast.unparse(call.func.value), call.func.attr
        if method not in ("begin", "insert") or not (owner in LIFECYCLES or owner.startswith("KINDS[")):
            continue
        named = [one.value for one in call.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
        if owner not in LIFECYCLES or not named or states.ACTIONS[LIFECYCLES[owner]][named[0]].holds:
            yield call.lineno, ast.unparse(call)


def test_what_holds_claim_is_found():
    assert {("cinder_lite.db.quotas", "claim"), ("cinder_lite.db.quotas", "release"),
            ("cinder_lite.db.pools", "take"), ("cinder_lite.db.pools", "give_back"),
            ("cinder_lite.db.retypes", "claim"), ("cinder_lite.jobs.pool_claims", "take")} <= ours().held()


def test_holds_alone_claim_and_release():
    assert ours().misplaced() == []


def test_a_claim_elsewhere_is_found():
    trees = {**ours().trees, "cinder_lite.x": ast.parse(
        "from cinder_lite.db import pools as p\nfrom cinder_lite.db.quotas import claim\n"
        "def f(tx):\n    p.give_back(tx, 'a', 1, 1)\n    claim(tx)\n")}
    assert Code(trees).misplaced() == [("cinder_lite.x", 4, ("cinder_lite.db.pools", "give_back")),
                                       ("cinder_lite.x", 5, ("cinder_lite.db.quotas", "claim"))]


def test_actions_that_hold_something_begin_in_holds():
    found = [(name, *call) for name, tree in ours().trees.items() if not name.startswith(HOLDS)
             for call in begun(tree)]
    assert found == []


@pytest.mark.parametrize(("text", "lines"), [
    ('VOLUME.begin(tx, ctx, id, "transfer")', []), ('VOLUME.begin(tx, ctx, id, "extend")', [1]),
    ("VOLUME.begin(tx, ctx, id, action)", [1]), ('KINDS[kind].insert(tx, ctx, "create", row)', [1]),
])
def test_such_a_beginning_is_found(text, lines):
    assert [line for line, _ in begun(ast.parse(text))] == lines
