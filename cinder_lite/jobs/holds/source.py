"""Claims and releases another resource that a job holds."""

from collections.abc import Mapping
from typing import Any

from oslo_config import cfg

from cinder_lite import db, errors, states
from cinder_lite.db import job_queries, messages
from cinder_lite.jobs.holds.base import Holding, Start, args_of
from cinder_lite.jobs.holds.claims import begin
from cinder_lite.jobs.holds.failure import fail_action
from cinder_lite.jobs.lifecycle import KINDS


class Source(Holding, of=states.Source):
    """See states.Source."""

    @staticmethod
    def claim(tx: db.Transaction, conf: cfg.ConfigOpts, hold: states.Source, start: Start) -> None:
        id = source_id(hold, start, start.row)
        if id:
            how = start.further
            begin(tx, conf, None, hold.kind, id, how.action or hold.action, how.guards, how.refusal)

    @staticmethod
    def release(tx: db.Transaction, conf: cfg.ConfigOpts, hold: states.Source, job: db.Row, _kind: str,
                row: db.Row | None) -> None:
        id = source_id(hold, job, row)
        if id and fail_action(tx, conf, job, hold.kind, states.ACTIONS[hold.kind][hold.action], id) and hold.notify:
            ended = job_queries.get(tx, job.id) or job
            reason = errors.Reason(ended.error, ended.public_error)
            messages.add(tx, job, *messages.of_job(job), reason, conf.message_ttl, (hold.kind, id))

    @staticmethod
    def keep(tx: db.Transaction, _conf: cfg.ConfigOpts, hold: states.Source, job: db.Row, row: db.Row | None,
             members: Mapping[str, Any]) -> None:
        id = source_id(hold, job, row)
        if id:
            values = members.get(id, {})
            KINDS[hold.kind].settle(tx, id, hold.action, True, **(values(tx) if callable(values) else values))


def source_id(hold: states.Source, job: db.Row | Start, row: Any = None) -> str | None:
    """The id of the resource that a job holds by a Source."""
    def named(name, column):
        found = args_of(job).get(name)
        return getattr(row, column, None) if found is None and row is not None and column else found

    return None if hold.unless and named(hold.unless, hold.unless) else named(hold.arg, hold.column)
