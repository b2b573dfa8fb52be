"""Contains the command groups of cinder-lite-manage, and their exit statuses and output format."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

#: Exit statuses: success, an inconsistency or problem was found, the command failed.
OK, VIOLATED, REFUSED = 0, 1, 2

#: Words of a command -> (its function, its arguments for argparse, whether it needs the schema of this release).
Commands = Mapping[tuple[str, ...], tuple[Callable[..., int], tuple[tuple[str, Mapping[str, Any]], ...], bool]]


class Failed(Exception):
    """The command failed; the text gives the reason and a remedy."""


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows in columns under a header."""
    cells = [tuple(head), *(tuple("" if cell is None else str(cell) for cell in row) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    for row in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


def counted(number: int, noun: str) -> str:
    """A number with its noun, such as "1 job" or "2 jobs"."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
