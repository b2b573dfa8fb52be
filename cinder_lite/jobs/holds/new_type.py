"""Claims and releases the quota of the type that a retype gives a volume and its snapshots."""

from oslo_config import cfg

from cinder_lite import db, states
from cinder_lite.db import retypes
from cinder_lite.jobs.holds.base import Holding, Start, args_of


class NewType(Holding, of=states.NewType):
    """See states.NewType. When the retype succeeds, the volume and its snapshots leave the type before."""

    @staticmethod
    def claim(tx: db.Transaction, _conf: cfg.ConfigOpts, _hold: states.NewType, start: Start) -> None:
        """The job's `shares` (see retypes.shares) of its `new_type_id`. Raises OverQuota."""
        retypes.claim(tx, start.row, start.args["shares"], start.args["new_type_id"], start.limits)

    @staticmethod
    def release(tx: db.Transaction, _conf: cfg.ConfigOpts, _hold: states.NewType, job: db.Row, _kind: str,
                row: db.Row | None) -> None:
        if row is not None:
            retypes.release(tx, row, {"new_type_id": None, **args_of(job)})

    @staticmethod
    def keep(tx: db.Transaction, conf: cfg.ConfigOpts, _hold: states.NewType, job: db.Row, row: db.Row | None,
             _members: object) -> None:
        if row is not None:
            retypes.settle(tx, conf, row, job.args)
