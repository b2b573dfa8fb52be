"""Ends an action that succeeded: the resource gets its values, and what was held becomes what it was claimed for."""

from collections.abc import Mapping
from typing import Any

from oslo_config import cfg

from cinder_lite import db, states
from cinder_lite.jobs.holds.base import OF, args_of
from cinder_lite.jobs.holds.recounted import forget
from cinder_lite.jobs.lifecycle import KINDS
from cinder_lite.states import lookup


def succeed(tx: db.Transaction, conf: cfg.ConfigOpts, job: db.Row, values: Mapping[str, Any],
            members: Mapping[str, Mapping[str, Any]], row: db.Row | None) -> bool:
    """The owner has done the work: the resource gets `values`, a source or member those that `members` has for its id.

    For a source that may be a function(tx) -> values.
    `row` is that of the resource as it was locked before, needed where `needs_row`. Returns whether the resource was
    in the action's status. Raises Stale.
    """
    action = lookup.find(job.kind, job.action)
    ended = KINDS[job.kind].finish(tx, job, **values)
    if not ended:
        return False
    if action is None:
        return True
    gone = keep(tx, conf, job, row, members)
    if action.done == states.GONE and any(action.held(states.Counted)):
        gone.append((job.kind, ended))
    if gone:
        forget(tx, conf, gone)
    return True


def keep(tx: db.Transaction, conf: cfg.ConfigOpts, job: db.Row, row: db.Row | None,
         members: Mapping[str, Any] | None = None) -> list[tuple[str, Any]]:
    """Make of what the action holds what it becomes when the action succeeds. Returns the members' rows that are
    gone."""
    gone: list[tuple[str, Any]] = []
    for hold in states.ACTIONS[job.kind][job.action].holds:
        kept = OF[type(hold)].keep
        if kept is not None:
            gone += kept(tx, conf, hold, job, row, members or {}) or ()
    return gone


def needs_row(job: db.Row) -> bool:
    """Whether `succeed` has to know the resource's row.

    Jobs that an earlier release has recorded may not name their source, which the last stage of an action works on.
    """
    action = lookup.find(job.kind, job.action)
    if action is None:
        return False
    unnamed = job.stage == list(action.work)[-1] and any(
        hold.column and hold.arg not in args_of(job) for hold in action.held(states.Source))
    return unnamed or any(action.held(states.NewType))
