"""Imports the records of a Cinder database in one transaction.

No volume data is moved, and Cinder's database is only read. Imported ids are recorded and not imported again, even if
the resource was deleted since, so that the import can be repeated.
"""

import dataclasses
from collections.abc import Mapping

from oslo_config import cfg

from cinder_lite import db
from cinder_lite.db import imported, members, metadata_index, services, volumes
from cinder_lite.import_cinder.database import CinderDatabase
from cinder_lite.import_cinder.mapping import KINDS
from cinder_lite.import_cinder.source import TABLES, HostMap, Records

#: Seconds since the last heartbeat of a service of Cinder after which it counts as stopped.
STOPPED_AFTER = 60


@dataclasses.dataclass
class Report:
    """The result of an import, or of a dry run.

    `counts` is {kind: {"imported", "present" or "skipped": number}}; `skipped` records have a reason, and `changed`
    records a description of the change: (kind, id, text).
    """

    counts: dict[str, dict[str, int]] = dataclasses.field(default_factory=dict)
    skipped: list[tuple[str, str, str]] = dataclasses.field(default_factory=list)
    changed: list[tuple[str, str, str]] = dataclasses.field(default_factory=list)
    notes: list[str] = dataclasses.field(default_factory=list)


class DryRun(Exception):
    """Rolls the transaction of a dry run back."""


def run(source: CinderDatabase, database: db.Database, conf: cfg.ConfigOpts, mapping: Mapping[str, str],
        dry_run: bool) -> Report:
    """Import the records of `source`; a dry run changes nothing. `mapping` is {former host name: new one}."""
    source.check()
    found = Records(source.rows(*TABLES), HostMap(mapping))
    report = Report()
    try:
        with database.write() as tx:
            _Import(tx, found, report).all()
            imported.recalculate(tx, conf)
            if dry_run:
                raise DryRun
    except DryRun:
        pass
    _add_notes(found, database, conf, report)
    return report


def alive(source: CinderDatabase) -> list[tuple[str, int]]:
    """The services of Cinder with a heartbeat in the last STOPPED_AFTER seconds: [(binary and host, report count)]."""
    rows = source.rows("services")["services"]
    return sorted((f"{row['binary']} on {row['host']}", row["report_count"]) for row in rows
                  if db.is_recent(row["updated_at"], STOPPED_AFTER))


class _Import:
    """One import. `imported` is {kind: ids} of all records imported so far, in former imports too."""

    def __init__(self, tx, found, report):
        self.tx, self.found, self.report = tx, found, report
        self.known = imported.known(tx)
        self.imported = {kind.name: set(self.known.get(kind.name, ())) for kind in KINDS}

    def all(self):
        for kind in KINDS:
            self._import(kind)
        for row in members.backends(self.tx):
            volumes.set_service(self.tx, row.host, volumes.ownership(row.uuid, row.cluster_name))

    def _import(self, kind):
        here, names = imported.keys(self.tx, kind.name), self._names(kind)
        rows, ids, counts = [], [], {"imported": 0, "present": 0, "skipped": 0}
        seen = self.known.get(kind.name, set())
        for row in _parents_first(kind, kind.rows(self.found)):
            id = kind.id(row)
            if id in seen:
                counts["present"] += 1
                continue
            reason = self._refusal(kind, row, names)
            if reason is not None:
                self.report.skipped.append((kind.name, id, reason))
                counts["skipped"] += 1
                continue
            new = {column: row[of] if isinstance(of, str) else of(row, self.found)
                   for column, of in kind.columns.items()}
            self.imported[kind.name].add(id)
            ids.append(id)
            if self._key(kind, new) in here:
                counts["present"] += 1
                continue
            counts["imported"] += 1
            here.add(self._key(kind, new))
            rows.append(new)
            self._report_changes(kind, id, row, new)
        imported.insert(self.tx, kind.name, rows)
        if kind.name in ("volumes", "snapshots"):
            imported.insert(self.tx, "labels", metadata_index.rows(kind.name[:-1], rows))
        imported.record(self.tx, kind.name, ids)
        self.report.counts[kind.name] = counts

    @staticmethod
    def _key(kind, new):
        if kind.name == "services":
            return new["binary"], new["host"]
        return tuple(new[column.name] for column in imported.table(kind.name).primary_key.columns)

    def _names(self, kind):
        return imported.names(self.tx, kind.name) if kind.name in imported.NAMED else {}

    def _refusal(self, kind, row, names):
        """The reason why the row cannot be imported, or None. Deletes an unused row of the same name, such as db
        sync's type."""
        for column, of in kind.needs.items():
            if row[column] is not None and row[column] not in self.imported[of]:
                missing = row[column] not in self.found.by(_SOURCES.get(of, of))
                return f"its {column} {row[column]} " + ("does not exist" if missing else "is not imported either")
        reason = kind.check(row, self.found, self.imported)
        name = row["value"] if kind.name == "qos_specs" else row.get("name")
        if reason is None and name in names and names[name] != row["id"]:
            if imported.is_used(self.tx, kind.name, names[name]):
                return f"the name {name} is taken by {names[name]}, which is in use: rename or delete that one"
            imported.discard(self.tx, kind.name, names.pop(name))
        return reason

    def _report_changes(self, kind, id, row, new):
        for column, of in kind.reported.items():
            if new[column] != row[of] and (new[column] or row[of] not in (None, "", "none")):
                self.report.changed.append((kind.name, id, f"{of} {row[of] or 'none'} -> {new[column] or 'none'}"))


_SOURCES = {"volume_groups": "groups"}


def _parents_first(kind, rows):
    """Order backups so that each follows its parent."""
    if kind.name != "backups":
        return rows
    by_id, ordered = {row["id"]: row for row in rows}, {}

    def add(row):
        chain = []
        while row is not None and row["id"] not in ordered and row not in chain:
            chain.append(row)
            row = by_id.get(row["parent_id"])
        for one in reversed(chain):
            ordered[one["id"]] = one

    for row in rows:
        add(row)
    return list(ordered.values())


def _add_notes(found, database, conf, report):
    for row in found.rows["clusters"]:
        report.notes.append(f"cluster {row['name']} of {row['binary']}: give its hosts its name by --host-map, "
                            "and set `cluster` of the backends to that name")
    for row in found.rows["consistencygroups"]:
        report.notes.append(f"consistency group {row['id']} is not imported: it predates groups")
    for row in found.rows["group_type_projects"]:
        report.notes.append(f"group type {row['group_type_id']} is limited to project {row['project_id']}: group "
                            "types are available to all projects here")
    keys = {row["encryption_key_id"] for row in found.rows["volumes"]} - {None, volumes.FIXED_KEY}
    if keys:
        report.notes.append(f"volumes have {len(keys)} keys of a key manager: they can be attached with these keys, "
                            "but new encrypted volumes need [key_manager] fixed_key")
    for old in sorted(found.hosts.mapping.keys() - found.hosts.used):
        report.notes.append(f"--host-map {old}: no record has this host")
    hosts = {found.hosts(row["host"]) for row in found.rows["volumes"]} - {None}
    with database.read() as tx:
        known = {row.host for row in members.backends(tx) if services.is_up(row, conf.service_down_time)}
    for service in sorted({host.partition("#")[0] for host in hosts} - known):
        report.notes.append(f"volumes are on {service}, whose service is not up")
