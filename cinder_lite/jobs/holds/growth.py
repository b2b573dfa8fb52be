"""Claims and releases the quota and pool capacity by which a volume grows."""

from oslo_config import cfg

from cinder_lite import db, states
from cinder_lite.db import pools, quotas
from cinder_lite.jobs import pool_claims
from cinder_lite.jobs.holds.base import Holding, Start, args_of


class Growth(Holding, of=states.Growth):
    """See states.Growth."""

    @staticmethod
    def claim(tx: db.Transaction, conf: cfg.ConfigOpts, _hold: states.Growth, start: Start) -> None:
        """To the job's `new_size`, in GiB. Raises OverQuota or NoCapacity."""
        row, new_size = start.row, start.args["new_size"]
        more = new_size - row.size
        quotas.claim(tx, quotas.Change(row.project_id, {"gigabytes": more}, row.volume_type_id), start.limits)
        quotas.check_max_size(new_size, conf)
        pool_claims.take(tx, conf, row.host, more, 0, row.type_extra_specs, "extend")

    @staticmethod
    def release(tx: db.Transaction, _conf: cfg.ConfigOpts, _hold: states.Growth, job: db.Row, _kind: str,
                row: db.Row | None) -> None:
        args = args_of(job)
        if row is not None and "new_size" in args:
            more = args["new_size"] - args.get("old_size", row.size)
            quotas.release(tx, quotas.Change(row.project_id, {"gigabytes": more}, row.volume_type_id))
            pools.give_back(tx, row.host, more, 0)
