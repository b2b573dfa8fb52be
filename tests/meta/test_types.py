"""Every public function is annotated, and mypy finds nothing wrong."""

import ast
import subprocess
import sys

from tests.meta import source

#: Migrations are scripts that alembic calls.
SCRIPTS = ("cinder_lite/db/migrations/",)


def functions(node):
    """The public functions and methods of a module or class, those of its public classes included."""
    for child in node.body:
        if isinstance(child, ast.ClassDef) and not child.name.startswith("_"):
            yield from functions(child)
        elif isinstance(child, ast.FunctionDef) and (not child.name.startswith("_") or child.name == "__init__"):
            yield child


def unannotated(function, method):
    """The names of the function's arguments without a type, and "return" where its result has none."""
    arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    arguments += [argument for argument in (function.args.vararg, function.args.kwarg) if argument is not None]
    static = any(ast.unparse(decorator) == "staticmethod" for decorator in function.decorator_list)
    if method and not static:
        arguments = arguments[1:]
    missing = [argument.arg for argument in arguments if argument.annotation is None]
    # An __init__ with an annotated argument, or without any, returns None for mypy.
    return missing + ["return"] * (function.returns is None and function.name != "__init__")


def bare(module):
    """(line, function, what lacks a type) of a module."""
    methods = {id(child) for node in ast.walk(module.tree) if isinstance(node, ast.ClassDef) for child in node.body}
    return [(function.lineno, function.name, missing) for function in functions(module.tree)
            if (missing := unannotated(function, id(function) in methods))]


def test_every_public_function_is_annotated():
    found = {module.name: lines for module in source.modules("cinder_lite")
             if not module.name.startswith(SCRIPTS) and (lines := bare(module))}
    assert found == {}


def test_a_public_function_without_types_is_found():
    module = source.Module("x.py", "def plain(a, *b): pass\nclass C:\n    def m(self, d: int): pass\n"
                                   "    @staticmethod\n    def s(e) -> None: pass\ndef _own(c): pass\n")
    assert bare(module) == [(1, "plain", ["a", "b", "return"]), (3, "m", ["return"]), (5, "s", ["e"])]


def test_mypy_finds_nothing():
    """The rules are in pyproject.toml."""
    done = subprocess.run([sys.executable, "-m", "mypy"], cwd=source.TOP, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
