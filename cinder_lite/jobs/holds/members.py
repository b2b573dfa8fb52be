"""Claims and releases further resources that a job holds: snapshots of a volume, and what belongs to a group."""

from collections.abc import Mapping
from typing import Any

from oslo_config import cfg

from cinder_lite import db, states
from cinder_lite.db import groups, snapshots
from cinder_lite.jobs.holds.base import OF, Holding, Start, args_of, as_row
from cinder_lite.jobs.holds.claims import begin
from cinder_lite.jobs.holds.counted import count, uncount
from cinder_lite.jobs.lifecycle import KINDS


class Members(Holding, of=states.Members):
    """See states.Members."""

    @staticmethod
    def claim(tx: db.Transaction, conf: cfg.ConfigOpts, hold: states.Members, start: Start) -> None:
        how = start.further
        if not states.ACTIONS[hold.kind][hold.action].begins:
            _insert(tx, conf, hold, start)
            return
        found = members(tx, hold, start)
        if how.check is not None:
            how.check(found)
        for one in found:
            begin(tx, conf, None, hold.kind, one.id, hold.action, how.guards, how.refusal)

    @staticmethod
    def release(tx: db.Transaction, conf: cfg.ConfigOpts, hold: states.Members, job: db.Row, _kind: str,
                _row: db.Row | None) -> None:
        action = states.ACTIONS[hold.kind][hold.action]
        counted = any(action.held(states.Counted)) and action.done != states.GONE
        ended = []
        for one in members(tx, hold, job):
            lost = {"counted": False} if counted and one.counted else {}
            if KINDS[hold.kind].settle(tx, one.id, hold.action, False, **lost):
                ended.append(one)
        if counted:
            uncount(tx, conf, [(hold.kind, one) for one in ended if one.counted])
        for one in ended:
            for further in action.holds:
                if not further.of_row:
                    OF[type(further)].release(tx, conf, further, job, hold.kind, one)

    @staticmethod
    def keep(tx: db.Transaction, _conf: cfg.ConfigOpts, hold: states.Members, job: db.Row, _row: db.Row | None,
             done: Mapping[str, Any]) -> list[tuple[str, Any]]:
        """Returns the rows that are gone."""
        gone = states.ACTIONS[hold.kind][hold.action].done == states.GONE
        found = [one for one in members(tx, hold, job, locked=True) if one.id in done]
        kept = [one for one in found if KINDS[hold.kind].settle(tx, one.id, hold.action, True, **done[one.id])]
        return [(hold.kind, one) for one in kept] if gone else []


def _insert(tx, conf, hold, start):
    """Insert the members that the action makes; all are counted together."""
    rows = [{**one, hold.column: start.resource_id} for one in start.further.rows]
    for one in rows:
        KINDS[hold.kind].insert(tx, start.ctx, hold.action, one)
    count(tx, conf, hold.kind, [as_row(one) for one in rows], start.limits)


def members(tx: db.Transaction, hold: states.Members, job: db.Row | Start, locked: bool = False) -> list[Any]:
    """The rows that a job holds by a Members."""
    wanted = args_of(job).get(hold.arg) if hold.arg else True
    if not wanted:
        return []
    if hold.column == "group_id":
        found = groups.volumes_of(tx, job.resource_id)
    elif hold.column == "group_snapshot_id":
        found = groups.snapshots_of(tx, job.resource_id, locked=locked)
    else:
        found = snapshots.of_volume(tx, job.resource_id, locked=locked)
    return [one for one in found if wanted is True or one.id == wanted]
