"""Maps the tables and columns of Cinder to those of cinder-lite.

A column is the name of Cinder's column, or a function of its row and of all records. A check returns the reason why a
row cannot be imported, or None. Kinds are in the order of their dependencies.
"""

import dataclasses
import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from cinder_lite import db, states
from cinder_lite.backup import cinder
from cinder_lite.db import quotas
from cinder_lite.import_cinder import statuses
from cinder_lite.import_cinder.messages import sentence
from cinder_lite.import_cinder.source import QOS_CONSUMER, Records, Row, document

#: Column -> the name of Cinder's column, or a function of its row and of all records.
Columns = Mapping[str, str | Callable[[Row, Records], Any]]


@dataclasses.dataclass(frozen=True)
class Kind:
    """A table to import. `id` identifies a row in reports and in repeated imports."""

    name: str
    rows: Callable[[Records], list[Row]]
    columns: Columns
    check: Callable[[Row, Records, Mapping[str, set[str]]], str | None] = lambda row, found, imported: None
    id: Callable[[Row], str] = lambda row: row["id"]
    #: Column -> the kind that it refers to: the row is skipped unless the referenced row is imported.
    needs: Mapping[str, str] = dataclasses.field(default_factory=dict)
    #: Columns of which a change is reported: the column of cinder-lite -> Cinder's.
    reported: Mapping[str, str] = dataclasses.field(default_factory=dict)


def _table(name):
    return lambda found: found.rows[name]


def _pairs(table, owner):
    return lambda row, found: found.pairs(table, owner, row["id"])


def _host(row, found):
    return found.hosts(row["host"])


def _flag(column, default=False):
    return lambda row, found: default if row[column] is None else bool(row[column])


def _value(value):
    return lambda row, found: value


def _short(column, length):
    return lambda row, found: row[column][:length] if row[column] else None


TIMES: Columns = {"created_at": lambda row, found: row["created_at"] or db.now(), "updated_at": "updated_at"}
OWNED: Columns = {
    "id": "id", "project_id": lambda row, found: row["project_id"] or "",
    "user_id": lambda row, found: row["user_id"] or "", **TIMES}
NAMED = {"name": "name", "description": "description"}
DISPLAYED = {"name": "display_name", "description": "display_description"}


# -- types

def _qos(row, found):
    return found.pairs("quality_of_service_specs", "specs_id", row["id"])


def _specs(row, found):
    return {key: value for key, value in _qos(row, found).items() if key != QOS_CONSUMER}


def _encryption(row, found):
    of = found.by("encryption", "volume_type_id").get(row["id"])
    if of is None:
        return None
    kept = {key: of[key] for key in ("provider", "control_location", "cipher", "key_size", "encryption_id")}
    times = {key: of[key].isoformat(timespec="microseconds") if of[key] else None
             for key in ("created_at", "updated_at")}
    return {**kept, **times}


# -- quotas

def _resource(row, found):
    """(resource, type id or "") of a quota's name, None for an unknown resource."""
    name = row["resource"]
    if name in quotas.DEFAULTS:
        return name, ""
    of, _, type_name = name.partition("_")
    type_ = found.by("volume_types", "name").get(type_name)
    return (of, type_["id"]) if of in quotas.PER_TYPE and type_ else None


def _unlimited(row, found, imported):
    if row["hard_limit"] is None:
        return "it sets no limit"
    return None if _resource(row, found) else f"the resource {row['resource']} is unknown"


_LIMIT: Columns = {"resource": lambda row, found: _resource(row, found)[0],
                   "type_id": lambda row, found: _resource(row, found)[1], "hard_limit": "hard_limit"}


# -- volumes, snapshots, attachments, backups

def _volume_check(row, found, imported):
    if (row["migration_status"] or "").startswith(states.TARGET):
        of = row["migration_status"].partition(":")[2]
        return (f"it is the incomplete copy of a migration of volume {of}; delete volume-{row['id']} from "
                f"{row['host'] or 'its backend'} after checking that volume")
    return None


def _export(row, found):
    return {"location": row["provider_location"], "auth": row["provider_auth"]} if (
        row["provider_location"] and " iqn." in row["provider_location"]) else {}


def _attached(row, found, imported):
    if row in statuses.present(found, row["volume_id"]):
        return None
    return f"it is {row['attach_status'] or 'without status'}"


def _project_of_volume(row, found):
    return found.by("volumes")[row["volume_id"]]["project_id"] or ""


def _connection(row, found):
    return document(row["connection_info"])


def _transfer(row, found, imported):
    return "it has been accepted" if row["accepted"] else None


def _backup_volume(row, found):
    """The attributes that a restore sets besides the data, if the volume still exists."""
    volume = found.by("volumes").get(row["volume_id"])
    if volume is None:
        return {}
    return {"name": volume["display_name"], "description": volume["display_description"],
            "metadata": found.pairs("volume_metadata", "volume_id", volume["id"]),
            "image_metadata": found.pairs("volume_glance_metadata", "volume_id", volume["id"]),
            "bootable": bool(volume["bootable"])}


def _backup_facts(row, found):
    return cinder.facts(row, found.by("backups").get(row["parent_id"]))


def _backup_check(row, found, imported):
    return cinder.refusal(row["service"])


def _message_check(row, found, imported):
    return "it has expired" if row["expires_at"] and row["expires_at"] < db.now() else None


def _services(found):
    """The services that own volumes or backups."""
    return [row for row in found.rows["services"] if row["binary"] in ("cinder-volume", "cinder-backup")]


def _service_uuid(row, found):
    # Old services of Cinder have none.
    return row["uuid"] or hashlib.md5(f"{row['binary']} {row['host']}".encode(), usedforsecurity=False).hexdigest()


KINDS = (
    Kind("qos_specs", lambda found: found.qos_specs, {
        "id": "id", "name": "value", "consumer": lambda row, found: _qos(row, found).get(QOS_CONSUMER, "back-end"),
        "specs": _specs, **TIMES}),
    Kind("volume_types", _table("volume_types"), {
        "id": "id", **NAMED, "is_public": _flag("is_public", True), "qos_specs_id": "qos_specs_id",
        "extra_specs": _pairs("volume_type_extra_specs", "volume_type_id"), "encryption": _encryption, **TIMES}),
    Kind("volume_type_projects", _table("volume_type_projects"),
         {"volume_type_id": "volume_type_id", "project_id": "project_id"},
         id=lambda row: f"{row['volume_type_id']} {row['project_id']}", needs={"volume_type_id": "volume_types"}),
    Kind("default_types", _table("default_volume_types"),
         {"volume_type_id": "volume_type_id", "project_id": "project_id"},
         id=lambda row: row["project_id"], needs={"volume_type_id": "volume_types"}),
    Kind("quotas", _table("quotas"), {"project_id": "project_id", **_LIMIT}, _unlimited,
         id=lambda row: f"{row['project_id']} {row['resource']}"),
    Kind("quota_classes", _table("quota_classes"), {"class_name": "class_name", **_LIMIT}, _unlimited,
         id=lambda row: f"{row['class_name']} {row['resource']}"),
    Kind("group_types", _table("group_types"), {
        "id": "id", **NAMED, "is_public": _flag("is_public", True),
        "group_specs": _pairs("group_type_specs", "group_type_id"), **TIMES}),
    Kind("volume_groups", _table("groups"), {
        **OWNED, **NAMED, "status": statuses.other("group"), "host": _host, "availability_zone": "availability_zone",
        "group_type_id": "group_type_id", "group_snapshot_id": "group_snapshot_id",
        "source_group_id": "source_group_id",
        "volume_types": lambda row, found: {"ids": [one["volume_type_id"] for one in found.lists(
            "group_volume_type_mapping", "group_id").get(row["id"], ())]}},
         needs={"group_type_id": "group_types"}, reported={"status": "status"}),
    Kind("group_snapshots", _table("group_snapshots"), {
        **OWNED, **NAMED, "status": statuses.other("group_snapshot"), "group_id": "group_id",
        "group_type_id": "group_type_id"},
        needs={"group_id": "volume_groups", "group_type_id": "group_types"}, reported={"status": "status"}),
    Kind("volumes", _table("volumes"), {
        **OWNED, **DISPLAYED, "size": lambda row, found: row["size"] or 0, "status": statuses.volume_status,
        "attach_status": statuses.attach_status, "migration_status": statuses.migration_status,
        "replication_status": _short("replication_status", 40), "host": _host, "availability_zone": "availability_zone",
        "volume_type_id": "volume_type_id", "snapshot_id": "snapshot_id", "source_volid": "source_volid",
        "group_id": "group_id", "name_id": "_name_id", "provider_id": "provider_id",
        "encryption_key_id": "encryption_key_id", "service_uuid": "service_uuid", "bootable": _flag("bootable"),
        "multiattach": _flag("multiattach"), "counted": _flag("use_quota", True),
        "consumes_quota": _flag("use_quota", True), "shared_targets": "shared_targets",
        "metadata": _pairs("volume_metadata", "volume_id"),
        "admin_metadata": _pairs("volume_admin_metadata", "volume_id"),
        "image_metadata": _pairs("volume_glance_metadata", "volume_id"), "facts": _value({}), "export": _export,
        "launched_at": "launched_at"}, _volume_check, needs={"volume_type_id": "volume_types"},
        reported={"status": "status", "attach_status": "attach_status", "migration_status": "migration_status"}),
    Kind("snapshots", _table("snapshots"), {
        **OWNED, **DISPLAYED, "volume_id": "volume_id", "size": lambda row, found: row["volume_size"] or 0,
        "status": statuses.other("snapshot"), "progress": _short("progress", 8), "volume_type_id": "volume_type_id",
        "group_snapshot_id": "group_snapshot_id", "encryption_key_id": "encryption_key_id",
        "counted": _flag("use_quota", True), "consumes_quota": _flag("use_quota", True),
        "metadata": _pairs("snapshot_metadata", "snapshot_id"), "facts": _value({})},
        needs={"volume_id": "volumes", "volume_type_id": "volume_types"}, reported={"status": "status"}),
    Kind("attachments", _table("volume_attachment"), {
        "id": "id", "volume_id": "volume_id", "project_id": _project_of_volume, "instance_uuid": "instance_uuid",
        "attached_host": "attached_host", "mountpoint": "mountpoint", "attach_mode": _short("attach_mode", 8),
        "attach_status": "attach_status", "connector": lambda row, found: document(row["connector"]),
        "connection_info": _connection, "attached_at": "attach_time", **TIMES},
        _attached, needs={"volume_id": "volumes"}),
    Kind("backups", _table("backups"), {
        **OWNED, **DISPLAYED, "volume_id": "volume_id", "snapshot_id": "snapshot_id", "parent_id": "parent_id",
        "restore_volume_id": "restore_volume_id", "size": lambda row, found: row["size"] or 0,
        "status": statuses.other("backup"), "object_count": lambda row, found: row["object_count"] or 0, "host": _host,
        "availability_zone": "availability_zone", "container": "container", "service": "service",
        "fail_reason": "fail_reason", "encryption_key_id": "encryption_key_id",
        "data_timestamp": lambda row, found: row["data_timestamp"] or row["created_at"],
        "metadata": _pairs("backup_metadata", "backup_id"), "volume_record": _backup_volume, "facts": _backup_facts},
        _backup_check, needs={"parent_id": "backups"}, reported={"status": "status"}),
    Kind("transfers", _table("transfers"), {
        "id": "id", "volume_id": "volume_id", "project_id": lambda row, found: row["source_project_id"] or
        _project_of_volume(row, found), "name": "display_name", "salt": "salt", "digest": "crypt_hash",
        "no_snapshots": _flag("no_snapshots"), **TIMES}, _transfer, needs={"volume_id": "volumes"}),
    Kind("messages", _table("messages"), {
        "id": "id", "project_id": "project_id", "request_id": "request_id", "resource_type": "resource_type",
        "resource_uuid": "resource_uuid", "event_id": "event_id", "message_level": "message_level",
        "user_message": lambda row, found: sentence(row["action_id"], row["detail_id"]),
        "details": lambda row, found: sentence(row["action_id"], row["detail_id"]),
        "created_at": TIMES["created_at"], "expires_at": lambda row, found: row["expires_at"] or db.now()},
        _message_check),
    Kind("services", _services, {
        "uuid": _service_uuid, "binary": "binary", "host": _host, "availability_zone": lambda row, found: row[
            "availability_zone"] or "nova", "disabled": _flag("disabled"), "disabled_reason": "disabled_reason",
        "frozen": _flag("frozen"), **TIMES}, id=lambda row: f"{row['binary']} {row['host']}"),
)
