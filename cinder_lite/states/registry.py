"""Adds rows for actions from outside the package to the table of actions."""

from cinder_lite import states
from cinder_lite.states.action import Action


def lacking(row: Action) -> list[str]:
    """The parts that the row lacks: it has neither a value nor the reason why there is none."""
    has = {"message": bool(row.message) or row.stage is None,
           "holds": bool(row.holds) != bool(row.no_holds) or row.stage is None,
           "event or silent": bool(row.event) != bool(row.silent),
           "remedy or no_remedy": bool(row.remedy) != bool(row.no_remedy)}
    return [name for name, there in has.items() if not there]


def register(kind: str, row: Action) -> None:
    """Add a row for an action from outside the package. Raises ValueError for a row that is not whole or a name that
    is taken."""
    if kind not in states.ACTIONS:
        raise ValueError(f"there is no kind {kind}; there are: {', '.join(states.ACTIONS)}")
    if states.ACTIONS[kind].get(row.name, row) != row:
        raise ValueError(f"{kind} has an action {row.name} already")
    if missing := lacking(row):
        raise ValueError(f"the action {row.name} of {kind} lacks: {', '.join(missing)}")
    states.ACTIONS[kind][row.name] = row
