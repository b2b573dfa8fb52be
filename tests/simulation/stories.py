"""Tells the events of a run for people."""

#: Events that are too many to read.
FINE = ("statement", "committed", "message", "queued", "driver done", "store done", "target done", "glance done",
        "copying")
#: Characters of the facts of an event.
LONGEST = 400


def told(story, fine=False):
    """A line for each event of (seconds, step, node, kind, facts …)."""
    return [f"{seconds:9.2f} s  step {step:5}  {node or '':14} {kind:10} {' '.join(map(str, facts))[:LONGEST]}"
            for seconds, step, node, kind, *facts in story if fine or kind not in FINE]
