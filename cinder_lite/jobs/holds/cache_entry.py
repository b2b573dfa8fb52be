"""Deletes the volume of an image cache entry that was not made."""

from oslo_config import cfg

from cinder_lite import db, states
from cinder_lite.db import jobs
from cinder_lite.db.host_strings import service_of
from cinder_lite.jobs.holds.base import Holding
from cinder_lite.jobs.holds.claims import begin


class CacheEntry(Holding, of=states.CacheEntry):
    """See states.CacheEntry."""

    no_claim = "the image cache inserts it as a volume of its own project that uses no quota"

    @staticmethod
    def release(tx: db.Transaction, conf: cfg.ConfigOpts, _hold: states.CacheEntry, job: db.Row, _kind: str,
                row: db.Row | None) -> None:
        if row is not None and not row.consumes_quota and row.project_id == conf.cinder_internal_tenant_project_id:
            begin(tx, conf, jobs.requester(job, overwrite=False), "volume", row.id, "delete",
                  job={"host": service_of(row.host)})
