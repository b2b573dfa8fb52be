"""The source code of the project for the tests of its rules: files, syntax trees, imports."""

import ast
import dataclasses
import functools
import io
import pathlib
import tokenize

TOP = pathlib.Path(__file__).resolve().parents[2]
#: The instrument that Cinder was measured with: kept as it was then, so that figures stay comparable.
INSTRUMENT = [TOP / "tools" / "benchmark" / name for name in ("bench.py", "compare.py", "mem.py")]

#: Tokens that do not make a line a line of code.
NO_CODE = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)


@dataclasses.dataclass(frozen=True)
class Module:
    """One Python file; `name` is its path from the top of the project."""

    name: str
    text: str

    @functools.cached_property
    def tree(self):
        return ast.parse(self.text, self.name)

    def imports(self):
        """(line, dotted name) of everything that is imported, wherever in the file."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def modules(*folders):
    """The Python files below folders of the project."""
    for folder in folders:
        for path in sorted((TOP / folder).rglob("*.py")):
            if path in INSTRUMENT:
                continue
            yield Module(str(path.relative_to(TOP)), path.read_text())


def files():
    """(path from the top, text) of every text file of the tree that a person wrote."""
    for part in ("cinder_lite", "etc", "bin", "docs", "tests", "tools", ".ci", "."):
        for path in sorted((TOP / part).glob("*" if part == "." else "**/*")):
            if path.is_file() and not path.is_symlink() and "__pycache__" not in path.parts:
                try:
                    yield str(path.relative_to(TOP)), path.read_text()
                except UnicodeDecodeError:
                    continue


def count_code_lines(text):
    """The number of lines of a Python source without blank lines, comments and docstrings."""
    code = {line for token in tokenize.generate_tokens(io.StringIO(text).readline) if token.type not in NO_CODE
            for line in range(token.start[0], token.end[0] + 1)}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            code -= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    return len(code)
