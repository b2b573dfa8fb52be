"""Print which actions were under way at which faults: python -m tests.simulation.coverage FILE...

The files have the lines that `python -m tests.simulation` prints. A cell is the number of runs; empty ones are work.
"""

import collections
import json
import sys

from cinder_lite import states
from tests.simulation.faults import KINDS


def table(runs):
    """Lines of a table of actions by kinds of faults, from what runs found."""
    cells, ended, seconds = collections.Counter(), collections.Counter(), 0
    for run in runs:
        seconds += run["seconds"]
        cells.update(map(tuple, run["covered"]))
        for kind, action, _, number in run["ended"]:
            ended[f"{kind} {action}"] += number
    yield f"{len(runs)} runs, {seconds / 3600:.1f} hours of their clocks"
    yield "  ".join([f"{'action':28}", "  ended", *KINDS])
    for kind, actions in states.ACTIONS.items():
        for name in (f"{kind} {action}" for action, row in actions.items() if row.work):
            yield "  ".join([f"{name:28}", f"{ended[name]:7}", *(
                f"{cells[fault, name] or '':{len(fault)}}" for fault in KINDS)])


def main():
    runs = [json.loads(line) for name in sys.argv[1:] for line in open(name) if line.startswith("{")]
    print(*table([run for run in runs if "covered" in run]), sep="\n")


if __name__ == "__main__":
    main()
