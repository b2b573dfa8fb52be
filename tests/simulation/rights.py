"""What members and readers of a project try in a world: nothing of another project is seen or changed."""

from tests.simulation.rules import Broken

#: Path of a list -> (its key, the table of its resources).
LISTS = {"volumes/detail": ("volumes", "volumes"), "snapshots/detail": ("snapshots", "snapshots"),
         "backups/detail": ("backups", "backups"), "attachments/detail": ("attachments", "attachments"),
         "volume-transfers/detail": ("transfers", "transfers"), "groups/detail": ("groups", "volume_groups"),
         "group_snapshots/detail": ("group_snapshots", "group_snapshots"), "messages": ("messages", "messages")}
#: (method, path, body) of what a stranger tries, and a reader of the project, which only GET may do.
TRIES = {
    "volumes": (("GET", "", None), ("DELETE", "", None), ("PUT", "", {"volume": {"name": "mine"}}),
                ("POST", "/action", {"os-extend": {"new_size": 9}}), ("POST", "/metadata", {"metadata": {"a": "b"}})),
    "snapshots": (("GET", "", None), ("DELETE", "", None), ("PUT", "", {"snapshot": {"name": "mine"}})),
    "backups": (("GET", "", None), ("DELETE", "", None), ("POST", "/restore", {"restore": {}})),
    "attachments": (("GET", "", None), ("DELETE", "", None), ("POST", "/action", {"os-complete": {}})),
    "groups": (("GET", "", None), ("POST", "/action", {"delete": {"delete-volumes": True}})),
    "group_snapshots": (("GET", "", None), ("DELETE", "", None))}
TABLES = {"groups": "volume_groups"}
REFUSALS = (403, 404)


def look(client):
    """A reader lists what there is."""
    path = client.rng.choice(sorted(LISTS))
    key, table = LISTS[path]
    status, document = client.site.request("GET", f"/{path}", client.project, role="reader")
    if status != 200:
        return
    owners = {row["id"]: row["project_id"] for row in client.site.rows(f"SELECT id, project_id FROM {table}")}
    for one in document[key]:
        # A transfer may have given it away since.
        given = client.site.given & {one["id"], one.get("volume_id")}
        if owners.get(one["id"], client.project) != client.project and not given:
            _break(client, f"{path} of {client.project} has {one['id']} of another project")


def intrude(client):
    """A member tries what only another project may do, and a reader what only members may do."""
    path = client.rng.choice(sorted(TRIES))
    stranger = client.rng.random() < 0.6
    rows = client.site.rows(f"SELECT id, project_id FROM {TABLES.get(path, path)} ORDER BY created_at, id")
    rows = [row for row in rows if (row["project_id"] != client.project) == stranger]
    if not rows:
        return
    row, (method, suffix, body) = client.rng.choice(rows), client.rng.choice(TRIES[path][0 if stranger else 1:])
    status, _ = client.site.request(method, f"/{path}/{row['id']}{suffix}", client.project, body,
                                    role="member" if stranger else "reader")
    present = client.site.rows(f"SELECT project_id FROM {TABLES.get(path, path)} WHERE id = ?", row["id"])
    if status < 400 and stranger and present and present[0]["project_id"] != client.project:
        _break(client, f"a member of {client.project} may {method} {path}{suffix} of another project: {status}")
    if status < 400 and not stranger:
        _break(client, f"a reader may {method} {path}{suffix}: {status}")


def _break(client, text):
    def rule(_site):
        raise Broken(text)

    client.site.watch(rule)


REQUESTS = (look, intrude, intrude)
