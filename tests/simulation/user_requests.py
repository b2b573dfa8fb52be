"""What users do in a world: volumes, snapshots, attachments, backups and transfers of a project."""

import json

import eventlet

from tests.simulation import contents
from tests.simulation.clients import PROJECTS, reset_of, with_one
from tests.simulation.site import BACKENDS

SERVER = "6a2f5c33-9c35-4b7b-9a2d-2f0c2f7b9c11"


def create(client):
    client.send("POST", "/volumes", {"volume": {"size": client.rng.choice((1, 1, 1, 2, 3)), "name": "v",
                                                "metadata": client.rng.choice(({}, {"a": "b"}))}})


@with_one("snapshots", status="available")
def create_from_snapshot(client, row):
    client.send("POST", "/volumes", {"volume": {"size": row["size"], "snapshot_id": row["id"]}})


@with_one("volumes", status="available")
def clone(client, row):
    client.send("POST", "/volumes", {"volume": {"size": row["size"], "source_volid": row["id"]}})


@with_one("volumes", status=("available", "error"))
def delete(client, row):
    how = client.rng.choice(("", "", "?cascade=true"))
    client.send("DELETE", f"/volumes/{row['id']}{how}")


@with_one("volumes")
def force_delete(client, row):
    client.send("POST", f"/volumes/{row['id']}/action", {"os-force_delete": {}})


@with_one("volumes", status=("available", "in-use"))
def extend(client, row):
    client.send("POST", f"/volumes/{row['id']}/action", {"os-extend": {"new_size": row["size"] + 1}})


@with_one("volumes", status=("available", "in-use"))
def snapshot(client, row):
    client.send("POST", "/snapshots", {"snapshot": {"volume_id": row["id"], "force": client.rng.random() < 0.5}})


@with_one("snapshots", status=("available", "error"))
def delete_snapshot(client, row):
    client.send("DELETE", f"/snapshots/{row['id']}")


@with_one("snapshots", status="available")
def revert(client, row):
    client.send("POST", f"/volumes/{row['volume_id']}/action", {"revert": {"snapshot_id": row["id"]}})


@with_one("volumes", status=("available", "in-use"))
def migrate(client, row):
    host, backends = client.rng.choice(sorted(BACKENDS.items()))
    backend = client.rng.choice(backends)
    client.send("POST", f"/volumes/{row['id']}/action", {"os-migrate_volume": {
        "host": f"{host}@{backend}#{backend}", "lock_volume": client.rng.random() < 0.5}})


@with_one("volumes", status="available")
def attach(client, row):
    body = {"volume_uuid": row["id"], "instance_uuid": SERVER}
    if client.rng.random() < 0.7:
        body["connector"] = connector(client)
    status, document = client.send("POST", "/attachments", {"attachment": body})
    if status == 200 and client.rng.random() < 0.7:
        id = document["attachment"]["id"]
        if "connector" not in body:
            client.send("PUT", f"/attachments/{id}", {"attachment": {"connector": connector(client)}})
        client.send("POST", f"/attachments/{id}/action", {"os-complete": {}})


@with_one("volumes", status="available")
def reserve(client, row):
    client.send("POST", "/attachments", {"attachment": {"volume_uuid": row["id"], "instance_uuid": SERVER}})


def connector(client):
    number = client.rng.randrange(3)
    return {"host": f"c{number}", "initiator": f"iqn.2026-01.org.example:c{number}", "ip": "127.0.0.1"}


@with_one("attachments")
def detach(client, row):
    client.send("DELETE", f"/attachments/{row['id']}")


@with_one("attachments")
def update_attachment(client, row):
    client.send("PUT", f"/attachments/{row['id']}", {"attachment": {"connector": connector(client)}})


@with_one("volumes", status=("available", "in-use", "reserved"))
def initialize(client, row):
    client.send("POST", f"/volumes/{row['id']}/action", {"os-initialize_connection": {"connector": connector(client)}})


@with_one("volumes")
def terminate(client, row):
    client.send("POST", f"/volumes/{row['id']}/action", {"os-terminate_connection": {"connector": connector(client)}})


@with_one("volumes", status=("available", "in-use"))
def back_up(client, row):
    client.send("POST", "/backups", {"backup": {
        "volume_id": row["id"], "force": client.rng.random() < 0.5, "incremental": client.rng.random() < 0.4}})


@with_one("snapshots", status="available")
def back_up_snapshot(client, row):
    client.send("POST", "/backups", {"backup": {"volume_id": row["volume_id"], "snapshot_id": row["id"]}})


@with_one("backups", status=("available", "error"))
def delete_backup(client, row):
    client.send("DELETE", f"/backups/{row['id']}")


@with_one("backups", status="available")
def restore(client, row):
    target = client.one("volumes", status="available") if client.rng.random() < 0.6 else None
    client.send("POST", f"/backups/{row['id']}/restore", {"restore": {"volume_id": target["id"]} if target else {}})


@with_one("backups", status="available")
def create_from_backup(client, row):
    client.send("POST", "/volumes", {"volume": {"size": row["size"], "backup_id": row["id"]}})


@with_one("volumes", status="available")
def offer(client, row):
    status, document = client.send("POST", "/volume-transfers", {"transfer": {"volume_id": row["id"]}})
    if status == 202 and client.rng.random() < 0.7:
        eventlet.sleep(client.rng.uniform(0, 10))
        found = document["transfer"]
        client.site.given.add(row["id"])
        other = next(one for one in PROJECTS if one != client.project)
        client.site.request("POST", f"/volume-transfers/{found['id']}/accept", other,
                            {"accept": {"auth_key": found["auth_key"]}})


@with_one("transfers")
def withdraw(client, row):
    client.send("DELETE", f"/volume-transfers/{row['id']}")


reset = reset_of("volumes", "volumes")
reset_snapshot = reset_of("snapshots", "snapshots")
reset_backup = reset_of("backups", "backups")


@with_one("volumes")
def change_metadata(client, row):
    client.send("POST", f"/volumes/{row['id']}/metadata", {
        "metadata": {client.rng.choice("ab"): client.rng.choice("xy")}})


@with_one("attachments", attach_status="attached")
def write(client, row):
    """Write to the volume as the host of an attachment does, with the connection information that it got."""
    info = json.loads(row["connection_info"] or "{}")
    volume = client.site.rows("SELECT * FROM volumes WHERE id = ?", row["volume_id"])
    # Nova writes to both volumes while it copies one.
    if row["attach_status"] != "attached" or "target_iqn" not in info or not volume or (
            volume[0]["migration_status"] not in (None, "none", "success", "error")):
        return
    host = volume[0]["host"].partition("@")[0]
    found = client.site.login(host, info["target_iqn"], info["auth_username"], info["auth_password"])
    client.site.world.record("login", row["id"], found is not None)
    if found is not None and not found.read_only:
        client.site.contents.write(row["volume_id"], found.path, client.rng.randrange(contents.BLOCKS))


def wait(client):
    client.settle()


REQUESTS = (
    create, create, create, create_from_snapshot, clone, delete, delete, force_delete, extend, snapshot, snapshot,
    delete_snapshot, revert, migrate, attach, attach, reserve, detach, detach, update_attachment, initialize, terminate,
    back_up, back_up_snapshot, delete_backup, restore, create_from_backup, offer, withdraw, reset, reset_snapshot,
    reset_backup, change_metadata, write, write, write, write, wait, wait)
