"""What must hold when a job is recorded: the conditions under which its action may begin, in the words of the API's
reference, as the database is after the transaction that recorded it."""

import json

from tests.simulation.rules import Broken

NOT_MIGRATING = "(v.migration_status IS NULL OR v.migration_status IN ('', 'none', 'error', 'success'))"
DETACHED = "NOT EXISTS (SELECT 1 FROM attachments a WHERE a.volume_id = v.id)"
THAWED = ("NOT EXISTS (SELECT 1 FROM services s WHERE s.frozen AND s.binary = 'cinder-volume' AND "
          "v.host LIKE s.host || '#%')")
NO_COPY = "NOT EXISTS (SELECT 1 FROM volumes c WHERE c.source_volid = v.id AND c.status = 'creating')"
NO_SNAPSHOT = "NOT EXISTS (SELECT 1 FROM snapshots s WHERE s.volume_id = v.id)"
NO_NEW_SNAPSHOT = "NOT EXISTS (SELECT 1 FROM snapshots s WHERE s.volume_id = v.id AND s.status = 'creating')"
ALONE, PLACED = "v.group_id IS NULL", "v.host IS NOT NULL"
OF_SNAPSHOT = "EXISTS (SELECT 1 FROM volumes v WHERE v.id = r.volume_id AND {})"
NOT_COPIED = "NOT EXISTS (SELECT 1 FROM volumes c WHERE c.snapshot_id = r.id AND c.status = 'creating')"
SINGLE = "r.group_snapshot_id IS NULL"
DELETABLE = (THAWED, DETACHED, NOT_MIGRATING, ALONE, NO_COPY)
MOVABLE = (PLACED, THAWED, NOT_MIGRATING, ALONE, NO_SNAPSHOT, NO_COPY)
OVERWRITABLE = (PLACED, NOT_MIGRATING, NO_COPY, NO_NEW_SNAPSHOT)
#: (kind, action) -> conditions on its row; a volume's is `v`, others' are `r`.
CONDITIONS = {
    ("volume", "delete"): DELETABLE,
    ("volume", "unmanage"): (*DELETABLE, PLACED, NO_SNAPSHOT),
    ("volume", "extend"): (PLACED, THAWED, NOT_MIGRATING),
    ("volume", "revert"): (DETACHED, *OVERWRITABLE),
    ("volume", "migrate"): (DETACHED, *MOVABLE[:2], *MOVABLE[3:]),
    ("volume", "migrate_locked"): (DETACHED, *MOVABLE[:2], *MOVABLE[3:]),
    ("volume", "retype"): (PLACED, THAWED),
    ("volume", "upload"): (PLACED, NOT_MIGRATING),
    ("volume", "upload_in_use"): (PLACED, NOT_MIGRATING),
    ("volume", "reimage"): OVERWRITABLE,
    ("snapshot", "create"): tuple(OF_SNAPSHOT.format(one) for one in (PLACED, THAWED, NOT_MIGRATING)),
    ("snapshot", "delete"): (OF_SNAPSHOT.format(THAWED), SINGLE, NOT_COPIED),
    ("snapshot", "unmanage"): (OF_SNAPSHOT.format(THAWED), SINGLE, NOT_COPIED),
    ("backup", "delete"): ("NOT EXISTS (SELECT 1 FROM backups b WHERE b.parent_id = r.id)",
                           "NOT EXISTS (SELECT 1 FROM volumes c WHERE c.backup_id = r.id AND c.status = 'creating')"),
    ("backup", "create"): ("EXISTS (SELECT 1 FROM volumes v WHERE v.id = r.volume_id AND v.host IS NOT NULL)",),
    ("backup", "restore"): (
        "EXISTS (SELECT 1 FROM volumes v WHERE v.id = r.restore_volume_id AND " + " AND ".join(OVERWRITABLE) + ")",),
    ("group", "delete"): ("NOT EXISTS (SELECT 1 FROM group_snapshots s WHERE s.group_id = r.id)",),
}
TABLES = {"volume": "volumes v", "snapshot": "snapshots r", "backup": "backups r", "group": "volume_groups r"}


def check(site, job):
    """Raises Broken if a job was recorded although its action might not begin."""
    key = job["kind"], job["action"]
    if key == ("volume", "delete") and not json.loads(job["args"] or "{}").get("cascade"):
        _check(site, job, (NO_SNAPSHOT,))
    _check(site, job, CONDITIONS.get(key, ()))


def _check(site, job, conditions):
    table = TABLES.get(job["kind"])
    for condition in conditions:
        alias = table.split()[1]
        if site.rows(f"SELECT 1 FROM {table} WHERE {alias}.id = ? AND NOT ({condition})", job["resource_id"]):
            raise Broken(f"{job['kind']} {job['action']} of {job['resource_id']} began although not {condition}")
