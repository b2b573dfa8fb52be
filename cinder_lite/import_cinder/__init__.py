"""Taking over what a Cinder's database knows: everything in one transaction, so that it is either there or not.

No byte of a volume is moved, and Cinder's database is only read. What was taken once is noted and not taken again, even
when it was deleted here since, so that the command may be run as often as one likes.
"""

import dataclasses

from cinder_lite import db
from cinder_lite.db import imported, metadata_index, services, volumes
from cinder_lite.import_cinder import source as finding
from cinder_lite.import_cinder.mapping import KINDS

#: Seconds since the last heartbeat of a service of Cinder's after which it is taken to be stopped.
SILENT = 60


@dataclasses.dataclass
class Report:
    """What was done, or would be. Lists of (kind, id, text)."""

    counts: dict = dataclasses.field(default_factory=dict)
    left: list = dataclasses.field(default_factory=list)
    decided: list = dataclasses.field(default_factory=list)
    notes: list = dataclasses.field(default_factory=list)


class Undone(Exception):
    """Ends the transaction of a dry run."""


def adopt(source, database, conf, mapping, dry_run):
    """Take over what `source`, a CinderDatabase, has. Returns a Report; with `dry_run` nothing is kept."""
    source.check()
    places = finding.Places(mapping)
    found = finding.Found(source.rows(*finding.TABLES), places)
    report = Report()
    try:
        with database.write() as tx:
            _Taking(tx, found, report).all()
            imported.settle_sums(tx, conf)
            if dry_run:
                raise Undone
    except Undone:
        pass
    _take_notes(found, database, conf, report)
    return report


def alive(source):
    """The services of Cinder's whose heartbeat is younger than SILENT seconds: [(binary@host, report count)]."""
    return sorted((f"{row['binary']} on {row['host']}", row["report_count"]) for row in source.rows("services")["services"]
                  if db.is_recent(row["updated_at"], SILENT))


class _Taking:
    """One run. `taken` is {kind: ids} of what is here, from before or by now."""

    def __init__(self, tx, found, report):
        self.tx, self.found, self.report = tx, found, report
        self.known = imported.known(tx)
        self.taken = {kind.name: set(self.known.get(kind.name, ())) for kind in KINDS}

    def all(self):
        for kind in KINDS:
            self._take(kind)
        for row in services.page(self.tx, binary="cinder-volume"):
            volumes.belong(self.tx, row.host, row.uuid)

    def _take(self, kind):
        here, names = imported.keys(self.tx, kind.name), self._names(kind)
        rows, ids, counts = [], [], {"taken": 0, "there": 0, "left": 0}
        seen = self.known.get(kind.name, set())
        for row in _parents_first(kind, kind.rows(self.found)):
            id = kind.id(row)
            if id in seen:
                counts["there"] += 1
                continue
            why = self._refusal(kind, row, names)
            if why is not None:
                self.report.left.append((kind.name, id, why))
                counts["left"] += 1
                continue
            made = {column: row[of] if isinstance(of, str) else of(row, self.found) for column, of in kind.columns.items()}
            self.taken[kind.name].add(id)
            ids.append(id)
            if self._key(kind, made) in here:
                counts["there"] += 1
                continue
            counts["taken"] += 1
            here.add(self._key(kind, made))
            rows.append(made)
            self._tell(kind, id, row, made)
        imported.insert(self.tx, kind.name, rows)
        if kind.name in ("volumes", "snapshots"):
            imported.insert(self.tx, "labels", metadata_index.rows(kind.name[:-1], rows))
        imported.note(self.tx, kind.name, ids)
        self.report.counts[kind.name] = counts

    @staticmethod
    def _key(kind, made):
        if kind.name == "services":
            return made["binary"], made["host"]
        return tuple(made[column.name] for column in imported.table(kind.name).primary_key.columns)

    def _names(self, kind):
        return imported.names(self.tx, kind.name) if kind.name in imported.NAMED else {}

    def _refusal(self, kind, row, names):
        """Why the row cannot be taken, or None. What only has the name of a thing made by db sync gives way."""
        for column, of in kind.needs.items():
            if row[column] is not None and row[column] not in self.taken[of]:
                gone = row[column] not in self.found.by(_SOURCES.get(of, of))
                return f"its {column} {row[column]} " + ("is gone" if gone else "is not taken either")
        why = kind.check(row, self.found, self.taken)
        name = row["value"] if kind.name == "qos_specs" else row.get("name")
        if why is None and name in names and names[name] != row["id"]:
            if imported.is_used(self.tx, kind.name, names[name]):
                return f"there is another of the name {name} here, {names[name]}, which is in use: rename or delete that one"
            imported.discard(self.tx, kind.name, names.pop(name))
        return why

    def _tell(self, kind, id, row, made):
        for column, of in kind.told.items():
            if made[column] != row[of] and (made[column] or row[of] not in (None, "", "none")):
                self.report.decided.append((kind.name, id, f"{of} {row[of] or 'none'} -> {made[column] or 'none'}"))


_SOURCES = {"volume_groups": "groups"}


def _parents_first(kind, rows):
    """Backups after those that they build on."""
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


def _take_notes(found, database, conf, report):
    for row in found.rows["clusters"]:
        report.notes.append(f"cluster {row['name']} of {row['binary']}: there are no clusters here; one service takes the "
                            "volumes of all its hosts when --host-map gives them one name")
    for row in found.rows["consistencygroups"]:
        report.notes.append(f"consistency group {row['id']} is of the time before groups and is left")
    for row in found.rows["group_type_projects"]:
        report.notes.append(f"group type {row['group_type_id']} is for project {row['project_id']}: access to group types "
                            "is not limited here")
    keys = {row["encryption_key_id"] for row in found.rows["volumes"]} - {None, volumes.FIXED_KEY}
    if keys:
        report.notes.append(f"{len(keys)} volumes have keys of a key manager: they are attached with these as before, but "
                            "new encrypted volumes need [key_manager] fixed_key")
    for old in sorted(found.places.mapping.keys() - found.places.used):
        report.notes.append(f"--host-map {old}: nothing is there")
    hosts = {found.places(row["host"]) for row in found.rows["volumes"]} - {None}
    with database.read() as tx:
        known = {row.host for row in services.page(tx, binary="cinder-volume") if services.is_up(
            row, conf.service_down_time)}
    for service in sorted({host.partition("#")[0] for host in hosts} - known):
        report.notes.append(f"volumes are on {service}: its service is not up here yet")
