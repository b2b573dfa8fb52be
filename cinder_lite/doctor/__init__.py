"""Checks the installation for inconsistencies and repairs them.

It is safe to run while the services run. Every check reads the database as of one moment, a finding counts only if two
passes find it, and a repair checks once more under the lock of the rows that it changes.
"""

import dataclasses

from oslo_config import cfg

from cinder_lite import db
from cinder_lite.concurrency import clock
from cinder_lite.db import audit, services
from cinder_lite.doctor import exports, jobs, limits, resources, storage, sums
from cinder_lite.doctor.finding import Finding, NotRepaired
from cinder_lite.doctor.inventory import Inventory
from cinder_lite.doctor.state import State

#: In the order of repair: a job that is ended leaves its resource to the next check, and usage is summed up when the
#: rows are right.
CHECKS = (
    jobs.without_resource, jobs.status_mismatch, jobs.abandoned, jobs.unserved,
    resources.without_job, resources.migrations_without_job, resources.lost_attachments, resources.lost_snapshots,
    resources.lost_metadata, resources.metadata_differs, resources.attachments_contradicted, sums.usage, sums.pools,
    limits.not_applied,
    exports.lost_connections, exports.unknown_exports, exports.missing_exports,
    storage.orphans, storage.missing_objects, storage.orphaned_backups, storage.missing_backups,
)
#: Passes after which a repair that always leaves a new inconsistency is given up.
ROUNDS = 6


@dataclasses.dataclass
class Report:
    """`violations` that are present, [(finding, description of the repair)] of those `repaired`, and `notes` on
    skipped checks."""

    violations: list[Finding]
    repaired: list[tuple[Finding, str]] = dataclasses.field(default_factory=list)
    notes: list[str] = dataclasses.field(default_factory=list)


class Doctor:
    """Checks one installation, and the backends and the backup store of this host. `pause`: seconds between two
    passes."""

    def __init__(self, database: db.Database, conf: cfg.ConfigOpts, pause: float = 1.0):
        self.db, self.conf, self.pause = database, conf, pause
        self.inventory = Inventory(conf)

    def examine(self) -> Report:
        """Run all checks. Violations are in the order of CHECKS."""
        first = self._pass()
        if not first:
            return Report([], notes=self.inventory.notes())
        clock.sleep(self.pause)
        again = {finding.key: finding for finding in self._pass()}
        return Report([again[finding.key] for finding in first if finding.key in again], notes=self.inventory.notes())

    def repair(self, delete_orphans: bool = False) -> Report:
        """Repair until nothing repairable is left. `delete_orphans`: also delete objects without a database row."""
        done: list[tuple[Finding, str]] = []
        notes: dict[str, None] = {}
        for _ in range(ROUNDS):
            report = self.examine()
            repaired = []
            for finding in report.violations:
                if finding.repair is not None and (delete_orphans or not finding.orphan):
                    try:
                        repaired.append((finding, finding.repair(self.db, self.conf)))
                    except NotRepaired as error:
                        notes[str(error)] = None
            done += [(finding, text) for finding, text in repaired if text]
            if not repaired:
                break
        return dataclasses.replace(report, repaired=done, notes=[*report.notes, *notes])

    def _pass(self):
        with self.db.read() as tx:
            containers, rows = audit.containers(tx), services.page(tx)
        # The services have noticed which of these hang: they would hold up this process too.
        self.inventory.refresh(containers, {
            (row.binary, row.host): row.backend_reason for row in rows
            if row.backend_reason and services.is_up(row, self.conf.service_down_time)})
        with audit.moment(self.db) as tx:
            state = State(tx, self.conf, tuple(audit.live_jobs(tx)), tuple(services.page(tx)), self.inventory)
            return [finding for check in CHECKS for finding in check(state)]


__all__ = ["CHECKS", "Doctor", "Finding", "Report", "State"]
