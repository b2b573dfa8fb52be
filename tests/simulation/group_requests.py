"""What users do with groups in a world: groups, their members, their snapshots, and copies of both."""

from tests.simulation.clients import reset_of, with_one

#: The types that are made before the clients begin.
TYPE, GROUP_TYPE = "plain", "consistent"


def create_group(client):
    client.send("POST", "/groups", {"group": {"group_type": client.site.ids[GROUP_TYPE],
                                              "volume_types": [client.site.ids[TYPE]]}})


@with_one("volume_groups", status="available")
def create_member(client, row):
    client.send("POST", "/volumes", {"volume": {"size": 1, "group_id": row["id"], "volume_type": TYPE}})


@with_one("volume_groups", status="available")
def change_members(client, row):
    added, removed = client.one("volumes", status="available", group_id=None), client.one("volumes", group_id=row["id"])
    body = {}
    if added is not None and client.rng.random() < 0.6:
        body["add_volumes"] = added["id"]
    if removed is not None and client.rng.random() < 0.4:
        body["remove_volumes"] = removed["id"]
    client.send("PUT", f"/groups/{row['id']}", {"group": body or {"name": "g"}})


@with_one("volume_groups", status=("available", "error"))
def delete_group(client, row):
    client.send("POST", f"/groups/{row['id']}/action", {"delete": {"delete-volumes": client.rng.random() < 0.7}})


@with_one("volume_groups", status="available")
def snapshot_group(client, row):
    client.send("POST", "/group_snapshots", {"group_snapshot": {"group_id": row["id"]}})


@with_one("group_snapshots", status=("available", "error"))
def delete_group_snapshot(client, row):
    client.send("DELETE", f"/group_snapshots/{row['id']}")


@with_one("group_snapshots", status="available")
def copy_group_snapshot(client, row):
    client.send("POST", "/groups/action", {"create-from-src": {"group_snapshot_id": row["id"]}})


@with_one("volume_groups", status="available")
def copy_group(client, row):
    client.send("POST", "/groups/action", {"create-from-src": {"source_group_id": row["id"]}})


reset_group = reset_of("volume_groups", "groups", "reset_status")
reset_group_snapshot = reset_of("group_snapshots", "group_snapshots", "reset_status")


REQUESTS = (create_group, create_member, create_member, change_members, delete_group, delete_group, snapshot_group,
            snapshot_group, delete_group_snapshot, copy_group_snapshot, copy_group, reset_group, reset_group_snapshot)
