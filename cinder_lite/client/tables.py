"""How the command writes tables, times and bars: with lines and colours on a terminal, plain columns elsewhere."""

import datetime
import json

import rich.box
import rich.console
import rich.markup
import rich.table

from cinder_lite import states

COLOURS = {states.QUEUED: "yellow", states.RUNNING: "cyan", states.SUCCEEDED: "green", states.FAILED: "red",
           states.AVAILABLE: "green", states.IN_USE: "green", states.ERROR: "red"}


class Output:
    """Writes to a stream; `terminal` overrules what the stream says of itself."""

    def __init__(self, file=None, terminal=None):
        # Never narrower than what is written: ids have to stay whole, so that they can be copied.
        self.console = rich.console.Console(file=file, force_terminal=terminal, highlight=False, soft_wrap=True,
                                            width=1000)

    @property
    def terminal(self):
        return self.console.is_terminal

    def line(self, text="", style=None):
        self.console.print(text, style=style, markup=False)

    def document(self, value):
        self.console.print(json.dumps(value, indent=2), markup=False)

    def table(self, columns, rows):
        """Rows of texts under columns; what is a status has its colour on a terminal."""
        if self.terminal:
            made = rich.table.Table(*columns, box=rich.box.ROUNDED)
            for row in rows:
                made.add_row(*(_coloured(cell) for cell in row))
            self.console.print(made, soft_wrap=False)
            return
        widths = [max(map(len, column)) for column in zip(columns, *rows)]
        for row in (columns, *rows):
            self.line("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())

    def bar(self, percent, width=10):
        """A percentage, as a bar before the figure on a terminal."""
        if not self.terminal:
            return f"{percent}%"
        full = round(width * percent / 100)
        return f"{'━' * full}{' ' * (width - full)} {percent}%"


def _coloured(cell):
    colour = COLOURS.get(cell)
    return f"[{colour}]{cell}[/]" if colour else rich.markup.escape(cell)


def seconds(begin, end=None):
    """Seconds between two times as the API writes them (UTC), `end` being now by default; None without a beginning."""
    if not begin:
        return None
    last = _time(end) if end else datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    return max(0.0, (last - _time(begin)).total_seconds())


def _time(text):
    return datetime.datetime.fromisoformat(text.removesuffix("Z"))


def duration(span):
    """Seconds as people read them: 30 ms, 4.2 s, 42 s, 5 min, 3 h, 2 d."""
    if span is None:
        return "-"
    if span < 1:
        return f"{span * 1000:.0f} ms"
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if span >= 2 * size:
            return f"{span / size:.0f} {unit}"
    return f"{span:.1f} s" if span < 10 else f"{span:.0f} s"
