"""Finds rows in the table of actions, and what follows from them for statuses."""

from collections.abc import Callable, Iterator

from cinder_lite import states
from cinder_lite.states.action import Action


def rows() -> Iterator[tuple[str, Action]]:
    """(kind, row) of every action."""
    return ((kind, row) for kind, found in states.ACTIONS.items() for row in found.values())


def find(kind: str, action: str) -> Action | None:
    """The row; None for an action that only a newer release knows."""
    return states.ACTIONS.get(kind, {}).get(action)


def members_of(row: Action) -> Iterator[states.Source | states.Members]:
    """Its holds on further resources."""
    return (hold for hold in row.holds if isinstance(hold, states.Source | states.Members))


def having(condition: Callable[[Action], object]) -> frozenset[tuple[str, str]]:
    """The (kind, action) of the rows for which the condition holds."""
    return frozenset((kind, row.name) for kind, row in rows() if condition(row))


def without_job(kind: str, status: str) -> Action | None:
    """The action that gives the status, which only a live job may hold: the one whose remedy `doctor` takes; else
    None."""
    return next((row for row in _repaired(kind) if row.doing == status), None)


def transitional(kind: str) -> tuple[str, ...]:
    """The statuses that only a live job may hold."""
    return tuple(dict.fromkeys(row.doing for row in _repaired(kind)))


def _repaired(kind):
    return (row for row in states.ACTIONS[kind].values() if row.remedy in (states.AGAIN, states.FAIL))


def without_work(kind: str, status: str) -> str:
    """What a status becomes when nobody works on the resource any more; BACK: what it was before that."""
    actions = states.ACTIONS[kind].values()
    for action in actions:
        if action.doing == status != states.AVAILABLE:
            return action.failed
    ends = {end for row in actions for end in (row.done, row.failed)}
    ends |= {states.AVAILABLE, states.RESERVED, states.IN_USE}
    is_end = status in ends or status in states.VOLUME_STATUSES and status.startswith(states.ERROR)
    return status if is_end else states.ERROR
