"""What always holds in a world, and what holds when nothing is under way any more."""

import json
import os

from cinder_lite import states
from cinder_lite.states import lookup
from cinder_lite.volume.drivers.nfs import MARK
from tests.simulation.site import BACKENDS, HOSTS, place

TABLES = {"volume": "volumes", "snapshot": "snapshots", "backup": "backups", "group": "volume_groups",
          "group_snapshot": "group_snapshots"}
#: What doctor finds of a volume whose status an administrator has set.
OF_RESETS = ("status contradicts attachments", "missing volume", "missing snapshot",
             "backup without manifest")
#: (table, column, table whose row it names)
NAMED = (
    ("volumes", "volume_type_id", "volume_types"), ("volumes", "group_id", "volume_groups"),
    ("snapshots", "volume_id", "volumes"), ("snapshots", "group_snapshot_id", "group_snapshots"),
    ("attachments", "volume_id", "volumes"), ("transfers", "volume_id", "volumes"),
    ("group_snapshots", "group_id", "volume_groups"), ("backups", "parent_id", "backups"))
#: The tables on which it depends whether a status is right.
STATUSES = {*TABLES.values(), "jobs"}
LIVE = "('queued', 'running')"


class Broken(AssertionError):
    """A rule does not hold."""


def changed(site, tables):
    """The rules that hold after each commit; it has changed these tables."""
    if tables & STATUSES:
        _statuses(site)
    for table, column, other in NAMED:
        if table in tables or other in tables:
            _named(site, table, column, other)
    if "quota_usages" in tables and (
            found := site.rows("SELECT project_id, resource, in_use FROM quota_usages WHERE in_use < 0")):
        raise Broken(f"a usage is negative: {tuple(found[0])}")


def _statuses(site):
    for kind, table in TABLES.items():
        doing = "', '".join(sorted(status for status in lookup.transitional(kind)
                                   if status not in (states.AWAITING, states.ATTACHING, states.DETACHING)))
        found = site.rows(f"""SELECT r.id, r.status FROM "{table}" r WHERE r.status IN ('{doing}') AND NOT EXISTS (
            SELECT 1 FROM jobs j WHERE j.status IN {LIVE} AND (j.resource_id = r.id OR instr(j.args, r.id)))""")
        # A member's job is that of its group or volume.
        found = [row for row in found if not _held(site, kind, row["id"])]
        if found:
            raise Broken(f"{kind} {found[0]['id']} is {found[0]['status']} without a job")


def _named(site, table, column, other):
    found = site.rows(f'SELECT id, {column} FROM "{table}" WHERE {column} IS NOT NULL AND {column} NOT IN '
                      f'(SELECT id FROM "{other}")')
    if found:
        raise Broken(f"{tuple(found[0])} of {table} names {column} without a row")


def _held(site, kind, id):
    """Whether a live job's resource holds this one by a column."""
    queries = {
        "volume": "SELECT 1 FROM jobs j JOIN volumes v ON v.id = ? WHERE j.status IN {live} AND ("
                  "j.resource_id = v.group_id OR j.resource_id IN (SELECT id FROM backups WHERE volume_id = v.id "
                  "OR restore_volume_id = v.id))",
        "snapshot": "SELECT 1 FROM jobs j JOIN snapshots s ON s.id = ? WHERE j.status IN {live} AND ("
                    "j.resource_id IN (s.volume_id, s.group_snapshot_id) OR j.resource_id IN "
                    "(SELECT id FROM backups WHERE snapshot_id = s.id))",
        "backup": "SELECT 1 FROM jobs j JOIN volumes v ON v.backup_id = ? WHERE j.status IN {live} AND "
                  "j.resource_id = v.id"}
    return kind in queries and bool(site.rows(queries[kind].format(live=LIVE), id))


def unsettled(site):
    """The live jobs and transitional statuses, for people; empty when nothing is under way."""
    found = [f"job {row['action']} of {row['kind']} {row['resource_id']} is {row['status']} ({row['stage']})"
             for row in site.rows(f"SELECT * FROM jobs WHERE status IN {LIVE}")]
    ending = site.rows("SELECT volume_id, state FROM connections WHERE state IN ('ending', 'renewing', 'connecting')")
    return found + [f"a connection of volume {row['volume_id']} is {row['state']}" for row in ending]


def at_rest(site):
    """The rules that hold when nothing is under way."""
    for kind, table in TABLES.items():
        for row in site.rows(f'SELECT id, status FROM "{table}"'):
            if row["status"] in lookup.transitional(kind) and row["status"] not in (
                    states.AWAITING, states.ATTACHING, states.DETACHING):
                raise Broken(f"{kind} {row['id']} is still {row['status']}")
    _sums(site)
    _objects(site)
    _exports(site)
    _images(site)
    _initiators(site)
    for host in HOSTS:
        report = site.doctor(host).examine()
        wrong = [finding for finding in report.violations if not _expected(site, finding)]
        if wrong:
            raise Broken(f"doctor on {host}: {'; '.join(map(str, wrong))[:1000]}")


def _expected(site, finding):
    """Whether the doctor finds what clients did on purpose."""
    if finding.invariant in OF_RESETS:
        return bool(site.reset & set(finding.subject))
    return finding.invariant.startswith("orphaned") and any(
        (place.partition("#")[0], name) == finding.subject for place, name in site.unmanaged)


def _sums(site):
    """Usage is the sum of rows."""
    expected = {}

    def add(project, resource, amount):
        expected[project, resource] = expected.get((project, resource), 0) + amount

    for row in site.rows("SELECT project_id, size FROM volumes WHERE counted"):
        add(row["project_id"], "volumes", 1)
        add(row["project_id"], "gigabytes", row["size"])
    for row in site.rows("SELECT project_id, size FROM snapshots WHERE counted"):
        add(row["project_id"], "snapshots", 1)
        add(row["project_id"], "gigabytes", row["size"])
    for row in site.rows("SELECT project_id, size FROM backups WHERE counted"):
        add(row["project_id"], "backups", 1)
        add(row["project_id"], "backup_gigabytes", row["size"])
    found = {(row["project_id"], row["resource"]): row["in_use"] for row in site.rows(
        "SELECT project_id, resource, in_use FROM quota_usages WHERE type_id = '' AND in_use != 0")}
    found = {key: value for key, value in found.items() if key[1] in (
        "volumes", "gigabytes", "snapshots", "backups", "backup_gigabytes")}
    if found != {key: value for key, value in expected.items() if value}:
        raise Broken(f"usage is {found}, but the rows are {expected}")
    pools = {row["name"]: row["allocated_gb"] for row in site.rows("SELECT name, allocated_gb FROM pools")}
    sums = {row["host"]: row["sum"] for row in site.rows(
        "SELECT host, sum(size) AS sum FROM volumes WHERE counted AND host IS NOT NULL GROUP BY host")}
    for name, value in pools.items():
        if value != sums.get(name, 0):
            raise Broken(f"pool {name} has {value} GiB allocated, its volumes {sums.get(name, 0)}")


def _objects(site):
    """Each available volume and snapshot is on its backend, and nothing else is."""
    needed = {}
    for row in site.rows("SELECT id, name_id, host, status FROM volumes WHERE host IS NOT NULL"):
        status = row["status"] if row["id"] not in site.reset else ""
        needed[f"volume-{row['name_id'] or row['id']}"] = row["host"], status
    for row in site.rows("SELECT s.id, v.host, s.status FROM snapshots s JOIN volumes v ON v.id = s.volume_id"):
        needed[f"snapshot-{row['id']}"] = row["host"], row["status"] if row["id"] not in site.reset else ""
    for host, backends in BACKENDS.items():
        for backend in backends:
            present, pool = set(os.listdir(site.directory(backend))) - {MARK}, f"{place(host, backend)}#{backend}"
            here = {name: status for name, (where, status) in needed.items() if where == pool}
            unknown = {name for name in present - set(here) if (pool, name) not in site.unmanaged}
            if unknown:
                raise Broken(f"backend {backend} has {sorted(unknown)}, which no row names")
            missing = {name for name, status in here.items() if status in ("available", "in-use")} - present
            if missing:
                raise Broken(f"backend {backend} lacks {sorted(missing)}")


def _exports(site):
    """The exports are those of connections."""
    for host in HOSTS:
        portal = site.world.portals.get(os.path.join(site.top, host), {})
        exported = {iqn.rpartition(":")[2] for iqn in portal}
        recorded = {row["export_name"] for row in site.rows(
            "SELECT export_name, backend FROM connections WHERE state = 'connected'")
            if row["backend"].partition("@")[0] == host}
        if exported - recorded:
            raise Broken(f"{host} exports {sorted(exported - recorded)}, which no connection needs")
        if recorded - exported:
            raise Broken(f"{host} does not export {sorted(recorded - exported)}, which connections need")


def _initiators(site):
    """Whoever has an attachment can log in, and nobody else with what was handed out once."""
    present = {(row["id"], row["connection_info"]): row for row in site.rows("SELECT * FROM attachments")}
    # One export for all connections of an initiator.
    shared = {(row["export_name"], row["initiator"]) for row in site.rows(
        "SELECT export_name, initiator FROM connections WHERE state = 'connected'")}
    for (id, info), (host, initiator) in site.histories.handed.items():
        row, shown = present.get((id, info)), json.loads(info)
        admitted = site.login(host, shown["target_iqn"], shown["auth_username"], shown["auth_password"])
        if row is None and admitted is not None and (shown["target_iqn"].rpartition(":")[2], initiator) not in shared:
            raise Broken(f"attachment {id} has ended, but its initiator can log in on {host}")
        # A volume with attachments whose status was reset can be overwritten, which ends its connections.
        if row is not None and row["attach_status"] == "attached" and admitted is None and (
                row["volume_id"] not in site.reset):
            raise Broken(f"attachment {id} lives, but its initiator cannot log in on {host}")


def _images(site):
    """Each image of an upload that was accepted has data, or is gone; of others the API may have died in between."""
    accepted = {json.loads(row["args"] or "{}").get("image_id") for row in site.rows(
        "SELECT args FROM jobs WHERE action IN ('upload', 'upload_in_use')")}
    found = [image.id for image in site.world.images.values() if image.status != "active" and image.id in accepted]
    if found:
        raise Broken(f"images {found} will never get data")
