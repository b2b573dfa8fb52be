"""Declares what implements a class of holds of states.py, and has the table of these implementations."""

from typing import Any, ClassVar

from oslo_config import cfg

from cinder_lite import db, states
from cinder_lite.jobs.lifecycle import KINDS

#: Class of a hold in states.py -> its implementation.
OF: dict[type[states.Hold], type["Holding"]] = {}


class Holding:
    """The claim and the release of one class of holds: `class Growth(Holding, of=states.Growth)`.

    A transaction changes quota usage before pool capacity, so that no two of them wait for each other. Every release
    tolerates what is not there any more.
    """

    #: What the hold becomes when the action succeeds: (tx, conf, hold, job, row, members) -> rows that are gone, or
    #: None; see success.keep.
    keep: ClassVar[Any] = None

    def __init_subclass__(cls, of: type[states.Hold]) -> None:
        OF[of] = cls

    @staticmethod
    def release(tx: db.Transaction, conf: cfg.ConfigOpts, hold: Any, job: db.Row, kind: str,
                row: db.Row | None) -> None:
        """Release what a job holds for the resource of that kind; `row` is its row, or None when it is gone."""
        raise NotImplementedError


def locked(tx: db.Transaction, job: db.Row) -> db.Row | None:
    """The row of the job's resource, locked until the transaction ends; None when it is gone, or where there is
    none."""
    return KINDS[job.kind].locked(tx, job.resource_id)


def args_of(job: db.Row) -> dict[str, Any]:
    """The job's arguments; none when they cannot be read."""
    return job.args if isinstance(job.args, dict) else {}
