"""Rules for every source file: size, names, docstrings, paths."""

import ast
import pathlib
import re
import subprocess
import sys

import pytest

from tests.meta import source

#: The entries of the tree's top level.
TOP_LEVEL = {".ci", ".gitignore", "LICENSE", "README.md", "bin", "cinder_lite", "constraints.txt", "docs", "etc",
             "pyproject.toml", "setup.cfg", "tests", "tools", "tox.ini"}
LINES_OF_A_FILE, LINES_OF_A_FUNCTION = 500, 60
#: Lines of code of the core, and what does not belong to it. A change that adds no capability must not need more.
LINES_OF_THE_CORE = 20829
NOT_CORE = tuple(f"cinder_lite/{part}" for part in (
    "volume/drivers/", "volume/targets/", "backup/stores/", "import_cinder/", "client/", "db/migrations/",
    "api/schemas/responses.py"))
FORBIDDEN_NAMES = {"utils", "util", "common", "helpers", "helper", "contrib", "misc"}


def test_no_file_is_over_500_lines():
    long = [(name, count) for name, text in source.files()
            if (name.endswith(".py") or name.startswith(("bin/", "tools/"))) and
            not name.endswith(".json") and source.TOP / name not in source.INSTRUMENT and
            (count := text.count("\n")) > LINES_OF_A_FILE]
    assert long == []


def test_no_function_is_over_60_lines():
    long = [(module.name, node.name, length) for module in source.modules("cinder_lite", "tests", "tools")
            for node in ast.walk(module.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            if (length := node.end_lineno - node.lineno + 1) > LINES_OF_A_FUNCTION]
    assert long == []


def test_the_core_stays_small():
    sizes = {module.name: source.count_code_lines(module.text) for module in source.modules("cinder_lite")
             if not module.name.startswith(NOT_CORE)}
    assert 0 < sum(sizes.values()) <= LINES_OF_THE_CORE, sizes


def test_lines_of_code_are_counted_without_blanks_comments_and_docstrings():
    text = ('"""A module."""\n\nimport os  # used below\n\n\n'
            'def f():\n    """Two\n    lines."""\n    # why\n    return os\n')
    assert source.count_code_lines(text) == 3


def test_every_module_says_what_it_decides():
    silent = [module.name for module in source.modules("cinder_lite", "tests", "tools")
              if not ast.get_docstring(module.tree)]
    assert silent == []


def test_names_say_what_is_inside():
    bad = [module.name for module in source.modules("cinder_lite", "tests", "tools")
           if FORBIDDEN_NAMES & set(pathlib.PurePath(module.name).with_suffix("").parts)]
    assert bad == []


def test_no_path_of_one_machine_stands_in_the_tree():
    here = [f"{path}/" for path in (source.TOP, pathlib.Path.home()) if len(path.parts) > 1]
    anyone = re.compile(r"/home/[a-z]|/Users/[A-Za-z]")
    found = [(name, number, line.strip()) for name, text in source.files()
             for number, line in enumerate(text.splitlines(), 1)
             if any(path in line for path in here) or (anyone.search(line) and "re.compile" not in line)]
    assert found == []


@pytest.mark.skipif(not (source.TOP / ".git").exists(), reason="a release has no list of its files")
def test_the_top_level_holds_known_entries_only():
    """A file that a test writes into the working directory by mistake must not be committed."""
    files = subprocess.run(["git", "ls-files", "-z"], cwd=source.TOP, capture_output=True, text=True, check=True).stdout
    assert {name.partition("/")[0] for name in files.split("\0") if name} == TOP_LEVEL


def test_the_linter_finds_nothing():
    """The rules and their exceptions are in pyproject.toml."""
    done = subprocess.run([sys.executable, "-m", "ruff", "check", "--quiet", "--no-cache", "--output-format", "concise",
                           "."],
                          cwd=source.TOP, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
