"""Records the jobs that remove what remains of a volume on a backend."""

from typing import Any

from cinder_lite import db, states
from cinder_lite.db import jobs
from cinder_lite.db.host_strings import service_of


def schedule_cleanup(tx: db.Transaction, job: db.Row, volume_id: str, host: str, *, name_id: str | None, size: int,
                     facts: dict[str, Any], attached: dict[str, Any] | None = None) -> str:
    """Record a job that removes what a backend has of a volume, and what is `attached` there. Returns the job's id.

    `host` is the service's (host@backend), `size` in GiB.
    """
    args = {"name_id": name_id, "size": size, "facts": facts, "attached": attached}
    return jobs.add(tx, jobs.requester(job, overwrite=False), "leftover", volume_id, "remove", states.VOLUME, host,
                    args)


def schedule_copy_cleanup(tx: db.Transaction, job: db.Row, row: db.Row, copy_id: str) -> None:
    """Record a job that removes the frozen copy `copy_id` of a volume, from which another job has read."""
    args = {"name_id": row.name_id, "size": row.size, "facts": row.facts, "copy_id": copy_id}
    jobs.add(tx, jobs.requester(job, overwrite=False), "leftover", row.id, "remove_copy", states.VOLUME,
             service_of(row.host), args)
