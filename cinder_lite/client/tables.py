"""Formats tables, times and progress bars: with lines and colours on a terminal, as plain columns elsewhere."""

import datetime
import json
from collections.abc import Sequence
from typing import Any, TextIO

import rich.box
import rich.console
import rich.markup
import rich.table

from cinder_lite import states
from cinder_lite.concurrency import clock

COLOURS = {states.QUEUED: "yellow", states.RUNNING: "cyan", states.SUCCEEDED: "green", states.FAILED: "red",
           states.AVAILABLE: "green", states.IN_USE: "green", states.ERROR: "red"}


class Output:
    """Writes to a stream, by default standard output; `terminal` overrides whether it is a terminal."""

    def __init__(self, file: TextIO | None = None, terminal: bool | None = None) -> None:
        # Wider than any line: ids must not be wrapped, so that they can be copied.
        self.console = rich.console.Console(file=file, force_terminal=terminal, highlight=False, soft_wrap=True,
                                            width=1000)

    @property
    def terminal(self) -> bool:
        return self.console.is_terminal

    def line(self, text: str = "", style: str | None = None) -> None:
        self.console.print(text, style=style, markup=False)

    def document(self, value: Any) -> None:
        """Print a value as JSON."""
        self.console.print(json.dumps(value, indent=2), markup=False)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print rows of texts under column titles; statuses are coloured on a terminal."""
        if self.terminal:
            table = rich.table.Table(*columns, box=rich.box.ROUNDED)
            for row in rows:
                table.add_row(*(_coloured(cell) for cell in row))
            self.console.print(table, soft_wrap=False)
            return
        widths = [max(map(len, column)) for column in zip(columns, *rows)]
        for row in (columns, *rows):
            self.line("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())

    def bar(self, percent: int, width: int = 10) -> str:
        """A percentage, on a terminal with a bar before the number."""
        if not self.terminal:
            return f"{percent}%"
        full = round(width * percent / 100)
        return f"{'━' * full}{' ' * (width - full)} {percent}%"


def _coloured(cell: str) -> str:
    colour = COLOURS.get(cell)
    return f"[{colour}]{cell}[/]" if colour else rich.markup.escape(cell)


def seconds(begin: str | None, end: str | None = None) -> float | None:
    """Seconds between two times as the API writes them (UTC), `end` being now by default; None without `begin`."""
    if not begin:
        return None
    last = _time(end) if end else clock.now()
    return max(0.0, (last - _time(begin)).total_seconds())


def _time(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text.removesuffix("Z"))


def duration(span: float | None) -> str:
    """A number of seconds as text: 30 ms, 4.2 s, 42 s, 5 min, 3 h, 2 d."""
    if span is None:
        return "-"
    if span < 1:
        return f"{span * 1000:.0f} ms"
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if span >= 2 * size:
            return f"{span / size:.0f} {unit}"
    return f"{span:.1f} s" if span < 10 else f"{span:.0f} s"
