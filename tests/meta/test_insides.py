"""An error that names a host, a backend or a pool has another text for members."""

import ast
import inspect

from cinder_lite import errors
from cinder_lite.jobs import outcomes
from tests.meta.source import modules

#: Attributes whose values are names of the cloud's inside.
NAMING = {"host", "service_host", "backend"}
#: Packages whose errors only administrators meet: commands and the daemons' own start.
OPERATORS = tuple(f"cinder_lite/{one}" for one in (
    "adopt", "client", "cmd", "conf", "doctor", "manage/", "api/services.py", "api/hosts.py"))
RAISED = {name: kind for name, kind in inspect.getmembers(errors, inspect.isclass)
          if issubclass(kind, errors.Explained)}


def names_insides(text):
    """Whether an f-string has a value such as row.host, backend.name or pool.name in it."""
    for node in ast.walk(text):
        if isinstance(node, ast.Attribute) and (node.attr in NAMING or node.attr == "name" and _is_place(node.value)):
            return True
    return False


def _is_place(node):
    return (node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")) in ("backend", "pool")


def _module(function):
    """The name of the module in module.Class."""
    return getattr(function.value, "id", "") if isinstance(function, ast.Attribute) else ""


def one_text_for_all(tree):
    """The lines of errors with such names that say nothing else to members."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or any(one.arg == "public" for one in node.keywords):
            continue
        kind = {"errors": RAISED, "outcomes": {"Refused": outcomes.Refused}}.get(_module(node.func), {}).get(
            getattr(node.func, "attr", ""))
        texts = [*node.args, *(one.value for one in node.keywords)]
        if kind is not None and kind.for_members is None and any(
                names_insides(one) for text in texts for one in ast.walk(text) if isinstance(one, ast.JoinedStr)):
            yield node.lineno


def test_errors_that_name_the_clouds_inside_have_a_text_for_members():
    found = []
    for module in modules("cinder_lite"):
        if not module.name.startswith(OPERATORS):
            found += [f"{module.name}:{line}" for line in one_text_for_all(module.tree)]
    assert found == []


def test_such_an_error_is_found():
    assert list(one_text_for_all(ast.parse("raise errors.BadRequest(f'it is on {row.host}')"))) == [1]
    assert list(one_text_for_all(ast.parse("raise errors.NoCapacity(reason=f'{pool.name} is full')"))) == [1]
    assert list(one_text_for_all(ast.parse("raise errors.NoCapacity(reason=f'{pool.name} is full', "
                                           "public='full')"))) == []
    assert list(one_text_for_all(ast.parse("raise errors.BackendFailed(reason=f'{self.backend.name} is down')"))) == []
