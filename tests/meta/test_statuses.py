"""Statuses of resources are named in the package states and nowhere else."""

import ast

from cinder_lite import states
from cinder_lite.states import lookup
from tests.meta import source

STATUSES = {
    *states.VOLUME_STATUSES, *states.SNAPSHOT_STATUSES, *states.BACKUP_STATUSES, *states.ATTACH_STATUSES,
    *states.MIGRATION_STATUSES, *states.LIVE_JOB,
    *(action.doing for kind, action in lookup.rows() if kind in ("volume", "snapshot", "backup")),
}


def about_status(node):
    """Whether an expression is called status: `x.status`, `status`, `row["attach_status"]`."""
    name = {ast.Name: lambda: node.id, ast.Attribute: lambda: node.attr, ast.keyword: lambda: node.arg,
            ast.Constant: lambda: node.value}.get(type(node), lambda: None)()
    if isinstance(node, ast.Subscript):
        return about_status(node.slice)
    return isinstance(name, str) and (name == "status" or name.endswith("_status"))


def literals(node):
    """The statuses written out in an expression that is itself a value: alone, in a collection or in a choice."""
    if isinstance(node, ast.Constant) and node.value in STATUSES:
        yield node.value
    elif isinstance(node, ast.Tuple | ast.List | ast.Set):
        for element in node.elts:
            yield from literals(element)
    elif isinstance(node, ast.IfExp):
        yield from literals(node.body)
        yield from literals(node.orelse)


def named(node):
    """The statuses that a comparison, assignment, argument or dictionary has with something called status."""
    if isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
    elif isinstance(node, ast.Assign):
        sides = [*node.targets, node.value]
    elif isinstance(node, ast.keyword):
        sides = [node, node.value]
    elif isinstance(node, ast.Dict):
        return [word for key, value in zip(node.keys, node.values) if key is not None and about_status(key)
                for word in literals(value)]
    else:
        return []
    return [word for side in sides for word in literals(side)] if any(map(about_status, sides)) else []


def test_the_rule_finds_what_it_looks_for():
    code = 'if v.status == "error": v["status"] = "in-use"\nf(status="available")\nd = {"attach_status": "attached"}\n'
    assert sorted(word for node in ast.walk(ast.parse(code)) for word in named(node)) == [
        "attached", "available", "error", "in-use"]


def test_no_status_is_written_outside_states():
    found = [(module.name, node.lineno if hasattr(node, "lineno") else None, words)
             for module in source.modules("cinder_lite") if module.name != "cinder_lite/states/__init__.py"
             for node in ast.walk(module.tree) if (words := named(node))]
    assert found == []
