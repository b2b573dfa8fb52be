"""Writes the table of actions in docs/jobs.md from the rows of the package states: python tools/action_table.py"""

import pathlib
import sys

from cinder_lite import states
from cinder_lite.states import lookup

PAGE = pathlib.Path(__file__).resolve().parents[1] / "docs" / "jobs.md"
BEGIN, END = "<!-- actions: begin -->\n", "<!-- actions: end -->\n"
HEAD = ("| kind | action | from | meanwhile | when done | when failed | services | holds | notifications |\n"
        "|---|---|---|---|---|---|---|---|---|\n")
WORDS = {states.BACK: "as before", states.GONE: "deleted"}


def held(hold: states.Hold) -> str:
    """A hold in words."""
    if isinstance(hold, states.Source):
        return f"its {hold.kind} ({hold.action})"
    if isinstance(hold, states.Members):
        return f"{hold.kind}s ({hold.action})"
    return {states.Counted: "quota and capacity", states.CacheEntry: "image cache entry",
            states.Growth: "quota and capacity of the growth",
            states.NewType: "quota of the new type", states.Destination: "capacity of the destination",
            states.Connections: "connections", states.FrozenCopy: "frozen copy",
            states.NewImage: "new image", states.WaitingServers: "waiting servers"}[type(hold)]


def table() -> str:
    """The table as Markdown."""
    lines = []
    for kind, row in lookup.rows():
        if kind in states.STATELESS:
            continue
        begins = "new" if not row.begins else "any" if len(row.begins) > 6 else ", ".join(row.begins)
        cells = (kind, row.name, begins, row.doing, WORDS.get(row.done, row.done), WORDS.get(row.failed, row.failed),
                 ", ".join(row.work) or "api", ", ".join(map(held, row.holds)) or "-", row.event or "-")
        lines.append("| " + " | ".join(cells) + " |\n")
    return HEAD + "".join(lines)


def written(page: str) -> str:
    """The page with the present table between its marks."""
    before, _, rest = page.partition(BEGIN)
    return before + BEGIN + table() + END + rest.partition(END)[2]


if __name__ == "__main__":
    sys.exit(PAGE.write_text(written(PAGE.read_text())) < 0)
