"""The files and commands of docs/ha.md, from which the cluster is built."""

import functools
import re

from tests.functional import test_docs
from tests.meta.source import TOP

PAGE = "docs/ha.md"


@functools.cache
def _files():
    blocks = re.findall(r"^```\n(.*?)^```$", (TOP / PAGE).read_text(), flags=re.MULTILINE | re.DOTALL)
    named = {re.match(r"(?:#!.*\n)?# (/\S+)\n", block): block for block in blocks}
    return {found[1]: block for found, block in named.items() if found}


def file(path, options=()):
    """The text of that file on the page, with other values in its lines `option = value`."""
    text = _files()[path]
    for option, value in dict(options).items():
        text, count = re.subn(rf"^({re.escape(option)}) = .*$", rf"\1 = {value}", text, flags=re.MULTILINE)
        assert count == 1, option
    return text


def commands(*words):
    """The commands of the page that begin with one of these words, in order."""
    return [command for command in test_docs.commands(PAGE) if command.split()[0] in words]
