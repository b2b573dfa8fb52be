"""Rows as JSON, with the keys of Cinder's API."""

import json

VOLUME = {
    "id": "id", "size": "size", "availability_zone": "availability_zone", "name": "name", "description": "description",
    "volume_type": "type_name", "volume_type_id": "volume_type_id", "snapshot_id": "snapshot_id",
    "source_volid": "source_volid", "user_id": "user_id", "replication_status": "replication_status",
    "group_id": "group_id", "service_uuid": "service_uuid", "migration_status": "migration_status",
    "provider_id": "provider_id", "cluster_name": "cluster_name", "os-vol-tenant-attr:tenant_id": "project_id",
    "os-vol-host-attr:host": "host", "os-vol-mig-status-attr:migstat": "migration_status",
    "os-vol-mig-status-attr:name_id": "name_id", "status": "status"}
SNAPSHOT = {name: name for name in ("id", "name", "description", "volume_id", "status", "size", "user_id")}


def _time(value):
    return value and value.isoformat()


def _links(row):
    return [{"rel": rel, "href": f"http://127.0.0.1:8776/{part}/volumes/{row['id']}"}
            for rel, part in (("self", "v3/11111111111111111111111111111111"),
                              ("bookmark", "11111111111111111111111111111111"))]


def _volume(row):
    return {**{name: row[column] for name, column in VOLUME.items()}, "multiattach": bool(row["multiattach"]),
            "consumes_quota": bool(row["consumes_quota"]), "created_at": _time(row["created_at"]),
            "updated_at": _time(row["updated_at"]), "metadata": json.loads(row["metadata"]), "links": _links(row),
            "bootable": "true" if row["bootable"] else "false", "encrypted": row["encryption_key_id"] is not None,
            "consistencygroup_id": None, "attachments": [], "shared_targets": bool(row["shared_targets"])}


def _snapshot(row):
    return {**{name: row[column] for name, column in SNAPSHOT.items()}, "metadata": json.loads(row["metadata"]),
            "created_at": _time(row["created_at"]), "updated_at": _time(row["updated_at"]),
            "group_snapshot_id": row.get("group_snapshot_id"), "consumes_quota": bool(row["consumes_quota"])}


def _short(row):
    return {"id": row["id"], "name": row.get("name"), "links": _links(row)}


DOCUMENTS = {"volumes": _volume, "snapshots": _snapshot}


def one(kind, row):
    """The document of one resource."""
    return json.dumps({kind[:-1]: DOCUMENTS[kind](row)})


def many(kind, rows, detailed):
    """A page of a list. Snapshots are listed without details only while one waits for their end."""
    make = DOCUMENTS[kind] if detailed else _short
    return json.dumps({kind: [make(row) for row in rows]})
