"""Looks whether what must always hold does hold, and repairs what does not: every check, one row each.

It is safe to run while the services run. What the database says is read as of one moment, every finding has to be there
at two looks, and a repair looks once more, under the lock of what it changes.
"""

import dataclasses
import time
import typing

from cinder_lite.db import audit, services
from cinder_lite.doctor import exports, jobs, limits, resources, storage, sums
from cinder_lite.doctor.finding import Finding, NotRepaired

#: In the order in which they are repaired: a job that is ended leaves its resource to the next check, and usage is
#: summed up when the rows are right.
CHECKS = (
    jobs.without_resource, jobs.out_of_step, jobs.abandoned, jobs.unserved,
    resources.volumes_without_job, resources.snapshots_without_job, resources.backups_without_job,
    resources.groups_without_job, resources.migrations_without_job,
    resources.lost_attachments, resources.lost_snapshots, resources.lost_labels,
    resources.attachments_contradicted, resources.labels_differ,
    sums.usage, sums.pools, limits.not_applied,
    exports.lost_connections, exports.unknown_exports, exports.missing_exports,
    storage.unknown_objects, storage.missing_objects, storage.unknown_backups, storage.missing_backups,
)
#: Looks after which a repair is given up that always leaves something new.
ROUNDS = 6


@dataclasses.dataclass(frozen=True)
class Look:
    """What the checks read: `tx` sees the database as of one moment; `live` are the live jobs of that moment."""

    tx: typing.Any
    conf: typing.Any
    live: tuple
    services: tuple
    places: storage.Places


@dataclasses.dataclass
class Report:
    """What came out: what is off, [(finding, what was done)] of what was off, and what could not be looked at."""

    violations: list
    repaired: list = dataclasses.field(default_factory=list)
    notes: list = dataclasses.field(default_factory=list)


class Doctor:
    """Examines one installation, and the backends and the store of this host. `pause` in seconds lies between two looks."""

    def __init__(self, database, conf, pause=1.0):
        self.db, self.conf, self.pause = database, conf, pause
        self.places = storage.Places(conf)

    def examine(self):
        """What is off, in the order of CHECKS."""
        first = self._look()
        if not first:
            return Report([], notes=self.places.notes())
        time.sleep(self.pause)
        again = {finding.key: finding for finding in self._look()}
        return Report([again[finding.key] for finding in first if finding.key in again], notes=self.places.notes())

    def repair(self, delete_orphans=False):
        """Repair what can be repaired until nothing is left. `delete_orphans`: objects that have no row too."""
        done, notes = [], {}
        for _ in range(ROUNDS):
            report = self.examine()
            did = []
            for finding in report.violations:
                if finding.repair is not None and (delete_orphans or not finding.orphan):
                    try:
                        did.append((finding, finding.repair(self.db, self.conf)))
                    except NotRepaired as error:
                        notes[str(error)] = None
            done += [(finding, text) for finding, text in did if text]
            if not did:
                break
        return dataclasses.replace(report, repaired=done, notes=[*report.notes, *notes])

    def _look(self):
        with self.db.read() as tx:
            containers = audit.containers(tx)
        self.places.list(containers)
        with audit.moment(self.db) as tx:
            look = Look(tx, self.conf, tuple(audit.live_jobs(tx)), tuple(services.page(tx)), self.places)
            return [finding for check in CHECKS for finding in check(look)]


__all__ = ["CHECKS", "Doctor", "Finding", "Look", "Report"]
