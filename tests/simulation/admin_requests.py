"""What an administrator does in a world, at bad moments: types, retypes, unmanaged volumes, services and limits."""

import os

from tests.simulation.clients import with_one
from tests.simulation.group_requests import TYPE
from tests.simulation.site import BACKENDS, HOSTS, place

#: Types that are made before the clients begin, by the backend of their volumes.
TYPES = {"of-one": "one", "of-two": "two", "of-three": "three", TYPE: None}


def create_of_type(client):
    client.send("POST", "/volumes", {"volume": {"size": 1, "volume_type": client.rng.choice(sorted(TYPES))}})


@with_one("volumes", status=("available", "in-use"))
def retype(client, row):
    client.send("POST", f"/volumes/{row['id']}/action", {"os-retype": {
        "new_type": client.rng.choice(sorted(TYPES)), "migration_policy": client.rng.choice(("never", "on-demand"))}})


@with_one("volumes", status=("available", "error"))
def unmanage(client, row):
    client.send("POST", f"/volumes/{row['id']}/action", {"os-unmanage": {}})


@with_one("snapshots", status=("available", "error"))
def unmanage_snapshot(client, row):
    client.send("POST", f"/snapshots/{row['id']}/action", {"os-unmanage": {}})


def manage(client):
    """Manage a file that was a volume once, or a file that is one."""
    found = [(host, backend, name) for host in HOSTS for backend in BACKENDS[host]
             for name in sorted(os.listdir(client.site.directory(backend))) if name.startswith("volume-")]
    unmanaged = [one for one in found if (f"{place(*one[:2])}#{one[1]}", one[2]) in client.site.unmanaged]
    if found:
        host, backend, name = client.rng.choice(unmanaged if unmanaged and client.rng.random() < 0.8 else found)
        client.send("POST", "/manageable_volumes", {"volume": {
            "host": f"{host}@{backend}#{backend}", "ref": {"source-name": name}, "volume_type": None}})


def manage_snapshot(client):
    """Manage a snapshot that was let go, of its volume or of another on the backend."""
    found = sorted(one for one in client.site.unmanaged if one[1].startswith("snapshot-"))
    if not found:
        return
    host, name = client.rng.choice(found)
    volumes = [row["id"] for row in client.site.rows(
        "SELECT id FROM volumes WHERE host = ? AND project_id = ? ORDER BY created_at, id", host, client.project)]
    former = client.site.former.get(name)
    if volumes:
        id = former if former in volumes and client.rng.random() < 0.9 else client.rng.choice(volumes)
        client.send("POST", "/manageable_snapshots", {"snapshot": {"volume_id": id, "ref": {"source-name": name}}})


@with_one("volumes")
def detach_by_force(client, row):
    attachments = client.site.rows("SELECT id FROM attachments WHERE volume_id = ? ORDER BY id", row["id"])
    client.send("POST", f"/volumes/{row['id']}/action", {"os-force_detach": {
        "attachment_id": attachments[0]["id"] if attachments else None, "connector": None}})


def disable_a_service(client):
    host, binary = client.rng.choice(HOSTS), client.rng.choice(("cinder-volume", "cinder-backup", "cinder-scheduler"))
    if binary == "cinder-volume":
        host = f"{host}@{client.rng.choice(BACKENDS[host])}"
    client.send("PUT", "/os-services/disable", {"host": host, "binary": binary})
    client.settle()
    client.send("PUT", "/os-services/enable", {"host": host, "binary": binary})


def freeze_a_host(client):
    host = client.rng.choice(HOSTS)
    named = f"{host}@{client.rng.choice(BACKENDS[host])}"
    client.send("PUT", "/os-services/freeze", {"host": named})
    client.settle()
    client.send("PUT", "/os-services/thaw", {"host": named})


@with_one("backups", status="available")
def import_a_record(client, row):
    """Import a record again, most of the time when the backup is deleted and an operator has brought back its data."""
    objects = client.site.world.objects
    copied = {name: data for name, data in objects.items() if row["id"] in name}
    status, document = client.send("GET", f"/backups/{row['id']}/export_record")
    if status == 200:
        gone = False
        if client.rng.random() < 0.8:
            client.send("DELETE", f"/backups/{row['id']}")
            client.settle()
            gone = not client.site.rows("SELECT 1 FROM backups WHERE id = ?", row["id"])
            objects.update(copied if gone else {})
        status, _ = client.send("POST", "/backups/import_record", {"backup-record": document["backup-record"]})
        if gone and status not in (201, 202):
            for name in copied:
                objects.pop(name, None)


@with_one("backups")
def delete_a_backup_by_force(client, row):
    client.send("POST", f"/backups/{row['id']}/action", {"os-force_delete": {}})


@with_one("snapshots")
def delete_a_snapshot_by_force(client, row):
    client.send("POST", f"/snapshots/{row['id']}/action", {"os-force_delete": {}})


def limit(client):
    client.send("PUT", f"/os-quota-sets/{client.project}", {"quota_set": {
        client.rng.choice(("volumes", "gigabytes", "snapshots")): client.rng.choice((2, 5, 8, 16))}})


def delete_a_type(client):
    """A type in use is kept; another is made again."""
    name = client.rng.choice(sorted(TYPES))
    status, _ = client.send("DELETE", f"/types/{client.site.ids[name]}")
    if status == 202:
        client.site.create_type(client.send, name, TYPES[name])


REQUESTS = (create_of_type, create_of_type, retype, retype, unmanage, unmanage, unmanage_snapshot, manage, manage,
            manage_snapshot, detach_by_force, disable_a_service, freeze_a_host, import_a_record,
            delete_a_backup_by_force, delete_a_snapshot_by_force, limit, delete_a_type)
