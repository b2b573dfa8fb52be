"""The documentation matches the tree: quoted messages occur in the sources, links and section titles exist.

A message is quoted in backticks, in the first column of a table with the heading `symptom`, `message` or `output`, or
behind one of the words `message` and `finding`. An ellipsis (…) stands for a variable part.
"""

import ast
import re

import pytest

from tests.meta.source import TOP, modules

PAGES = ["README.md", *sorted(str(path.relative_to(TOP)) for path in (TOP / "docs").glob("*.md"))]
LINK = re.compile(r"\]\((?!https?:)([^)]+)\)(?:, \"([^\"]+)\")?")
TABLE = re.compile(r"^\| (?:symptom|message|output) \|.*\n\|-.*\n((?:\|.*\n)+)", re.MULTILINE)
INLINE = re.compile(r"\b(?:message|finding)\s+`([^`]+)`")
#: Words in the first column that are no messages of this program.
OTHERS = {"service-list", "Read-only file system"}
#: How many parts of messages each of these pages quotes at least.
QUOTING = {"docs/troubleshooting.md": 30, "docs/images.md": 5, "docs/import-cinder.md": 3, "docs/backup.md": 2,
           "docs/upgrade.md": 1, "docs/rbd.md": 1}


def parts(page):
    """The constant parts of the messages that a page quotes."""
    text = (TOP / page).read_text()
    quoted = INLINE.findall(text)
    for rows in TABLE.findall(text):
        for row in rows.splitlines():
            quoted += re.findall(r"`([^`]+)`", row.split(" | ")[0])
    return [part.strip() for one in quoted for part in one.split("…") if part.strip() and one not in OTHERS]


def texts(module):
    """The string literals of a module except docstrings; in f-strings a null character stands for each value."""
    blocks = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {id(node.body[0].value) for node in ast.walk(module.tree)
                  if isinstance(node, blocks) and node.body and isinstance(node.body[0], ast.Expr)}
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            yield "".join(part.value if isinstance(part, ast.Constant) else "\0" for part in node.values)


@pytest.fixture(scope="module")
def literals():
    """All string literals of the sources in one text."""
    return "\n".join(text for module in modules("cinder_lite") for text in texts(module))


@pytest.mark.parametrize("page", PAGES)
def test_quoted_messages_occur_in_the_sources(literals, page):
    quoted = parts(page)
    assert len(quoted) >= QUOTING.get(page, 0)
    assert [part for part in quoted if part not in literals] == []


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_pages_and_their_sections(page):
    """A link may be followed by the title of a section of the page in quotes."""
    wrong = []
    for target, title in LINK.findall((TOP / page).read_text()):
        path = (TOP / page).parent / target
        if not path.is_file() or title and not re.search(rf"^#+ {re.escape(title)}$", path.read_text(), re.MULTILINE):
            wrong.append((target, title))
    assert wrong == []
