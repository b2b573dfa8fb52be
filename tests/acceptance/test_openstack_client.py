"""Every volume command of the unmodified `openstack`, with its output."""

import os
import uuid

import pytest

from tests.acceptance import clients
from tests.acceptance.installation import BACKENDS
from tests.services.processes import until

HOST = f"here@{BACKENDS[0]}"
POOLS = {f"here@{name}#{name}" for name in BACKENDS}
SERVER = str(uuid.uuid4())
CONSISTENT = "consistent_group_snapshot_enabled=<is> True"


@pytest.fixture(scope="module")
def openstack(keystone, service, images):
    shell = clients.OpenStack(clients.environment(keystone))
    yield shell
    shell.close()


def test_every_command(openstack, keystone, images):
    project = keystone.projects["admin"]
    about_the_service(openstack)
    types(openstack, project)
    qos(openstack)
    quotas(openstack, project)
    volume = volumes(openstack)
    snapshots(openstack, volume)
    with_images(openstack, images)
    adoption(openstack)
    moves(openstack)
    transfers(openstack)
    attachments(openstack)
    groups(openstack)
    consistency_groups(openstack)
    backups(openstack, volume)
    messages(openstack)
    services(openstack)
    openstack("volume", "delete", volume)
    openstack.gone("volume", "show", volume)
    openstack("volume", "type", "delete", "silver", "locked", "nowhere")
    assert not {"silver", "locked", "nowhere"} & set(openstack.column("Name", "volume", "type", "list"))
    openstack("quota", "delete", "--volume", project)
    assert openstack.commands - openstack.used == set()


def made(openstack, *words):
    """A volume of one GiB that is available: its id."""
    id = openstack.facts("volume", "create", "--size", "1", *words)["id"]
    openstack.settled("volume", "show", id)
    return id


def where(openstack, id):
    """The pool in which a volume is."""
    return openstack.facts("volume", "show", id)["os-vol-host-attr:host"]


def about_the_service(openstack):
    assert openstack.column("Zone Name", "availability", "zone", "list", "--volume") == ["nova"]
    assert set(openstack.column("Name", "volume", "backend", "pool", "list")) == POOLS
    detailed = {row["Name"]: row["Capabilities"] for row in openstack.rows("volume", "backend", "pool", "list",
                                                                           "--long")}
    assert {one["volume_backend_name"] for one in detailed.values()} == set(BACKENDS)
    assert "thin_provisioning" in openstack("volume", "backend", "capability", "show", HOST)
    filters = ("block", "storage", "resource", "filter")
    assert {"volume", "snapshot", "backup"} <= set(openstack.column("Resource", *filters, "list"))
    assert "status" in openstack.facts(*filters, "show", "volume")["filters"]
    limits = {row["Name"]: row["Value"] for row in openstack.rows("limits", "show", "--absolute")}
    summary, sizes = openstack.facts("volume", "summary"), openstack.column("Size", "volume", "list")
    assert (summary["total count"], summary["total size"]) == (len(sizes), sum(sizes))
    assert (limits["total_volumes_used"], limits["total_gigabytes_used"]) == (len(sizes), sum(sizes))
    running = openstack.rows("volume", "service", "list", "--long", "--service", "cinder-volume")
    assert {(one["Host"], one["State"]) for one in running} == {(f"here@{name}", "up") for name in BACKENDS}


def types(openstack, project):
    openstack("volume", "type", "create", "silver", "--description", "for a pass", "--private", "--project", project,
              "--property", "a=b")
    silver = openstack.facts("volume", "type", "show", "silver")
    assert (silver["description"], silver["is_public"], silver["access_project_ids"]) == ("for a pass", False,
                                                                                          [project])
    assert silver["properties"] == {"a": "b"}
    openstack("volume", "type", "unset", "silver", "--project", project)
    openstack("volume", "type", "set", "silver", "--project", project, "--description", "changed", "--property", "c=d")
    openstack("volume", "type", "unset", "silver", "--property", "c", "--property", "a")
    silver = openstack.facts("volume", "type", "show", "silver")
    assert (silver["description"], silver["properties"]) == ("changed", {})
    openstack("volume", "type", "set", "silver", "--property", f"volume_backend_name={BACKENDS[0]}", "--public")
    listed = {row["Name"]: row for row in openstack.rows("volume", "type", "list", "--long")}
    assert listed["silver"]["Properties"] == {"volume_backend_name": BACKENDS[0]} and listed["silver"]["Is Public"]
    assert openstack.column("Name", "volume", "type", "list", "--default") == ["__DEFAULT__"]
    # The client asks for a property as a filter of its own name, which the service's list has none of: nothing is left
    # out.
    assert "__DEFAULT__" in openstack.column("Name", "volume", "type", "list", "--property",
                                             "volume_backend_name=elsewhere")
    openstack("volume", "type", "create", "locked", "--encryption-provider", "luks", "--encryption-cipher",
              "aes-xts-plain64",
              "--encryption-key-size", "256", "--encryption-control-location", "front-end")
    openstack("volume", "type", "set", "locked", "--encryption-key-size", "512")
    shown = openstack.facts("volume", "type", "show", "locked", "--encryption-type")["encryption"]
    assert (shown["provider"], shown["cipher"], shown["key_size"]) == ("luks", "aes-xts-plain64", 512)
    assert "512" in str({row["Name"]: row for row in openstack.rows("volume", "type", "list",
                                                                    "--encryption-type")}["locked"])
    openstack("volume", "type", "unset", "locked", "--encryption-type")
    assert openstack.facts("volume", "type", "show", "locked", "--encryption-type").get("encryption", {}) == {}


def qos(openstack):
    spec = openstack.facts("volume", "qos", "create", "fast", "--consumer", "front-end", "--property",
                           "read_iops_sec=100")
    assert (spec["consumer"], spec["properties"]) == ("front-end", {"read_iops_sec": "100"})
    openstack("volume", "qos", "set", "fast", "--property", "read_iops_sec=200", "--property", "write_iops_sec=5")
    openstack("volume", "qos", "unset", "fast", "--property", "write_iops_sec")
    openstack("volume", "qos", "associate", "fast", "silver")
    shown = openstack.facts("volume", "qos", "show", "fast")
    assert (shown["properties"], shown["associations"]) == ({"read_iops_sec": "200"}, ["silver"])
    listed = {row["Name"]: row for row in openstack.rows("volume", "qos", "list")}
    assert listed["fast"]["Associations"] == ["silver"]
    openstack("volume", "qos", "disassociate", "fast", "--volume-type", "silver")
    openstack("volume", "qos", "associate", "fast", "silver")
    openstack("volume", "qos", "disassociate", "fast", "--all")
    assert "associations" not in openstack.facts("volume", "qos", "show", "fast")
    openstack("volume", "qos", "delete", "fast")
    openstack.gone("volume", "qos", "show", "fast")


def quotas(openstack, project):
    def limit(name):
        return {row["Resource"]: row["Limit"] for row in openstack.rows("quota", "show", "--volume", project)}[name]

    before = limit("volumes")
    openstack("quota", "set", "--volumes", "77", "--gigabytes", "2000", project)
    assert limit("volumes") == 77
    openstack("quota", "delete", "--volume", project)
    assert limit("volumes") == before
    openstack("quota", "set", "--volumes", "100", "--snapshots", "100", "--backups", "100", project)


def volumes(openstack):
    id = made(openstack, "first", "--property", "a=b", "--description", "one")
    listed = {row["ID"]: row for row in openstack.rows("volume", "list", "--long", "--name", "first")}
    assert (listed[id]["Size"], listed[id]["Properties"], listed[id]["Attached to"]) == (1, {"a": "b"}, [])
    openstack("volume", "set", id, "--name", "renamed", "--description", "d", "--property", "c=d", "--size", "2",
              "--image-property", "hw_x=y", "--bootable")
    shown = openstack.settled("volume", "show", id)
    assert (shown["name"], shown["description"], shown["size"], shown["bootable"]) == ("renamed", "d", 2, True)
    assert shown["properties"] == {"a": "b", "c": "d"} and shown["volume_image_metadata"] == {"hw_x": "y"}
    openstack("volume", "unset", id, "--property", "a", "--image-property", "hw_x")
    assert openstack.facts("volume", "show", id)["properties"] == {"c": "d"}
    openstack("volume", "set", id, "--no-property")
    openstack("volume", "set", id, "--property", "e=f", "--non-bootable", "--read-only")
    shown = openstack.facts("volume", "show", "renamed")
    assert (shown["properties"], shown["bootable"]) == ({"e": "f", "readonly": "True"}, False)
    openstack("volume", "set", id, "--state", "error")
    assert openstack.facts("volume", "show", id)["status"] == "error"
    openstack("volume", "delete", "--force", id)
    openstack.gone("volume", "show", id)
    return made(openstack, "second", "--type", "silver")


def snapshots(openstack, volume):
    id = openstack.facts("volume", "snapshot", "create", "--volume", volume, "s", "--property", "a=b")["id"]
    openstack.settled("volume", "snapshot", "show", id)
    openstack("volume", "snapshot", "set", id, "--name", "s2", "--description", "d", "--property", "c=d")
    openstack("volume", "snapshot", "unset", id, "--property", "a")
    listed, = openstack.rows("volume", "snapshot", "list", "--long", "--volume", volume)
    assert (listed["Name"], listed["Description"], listed["Properties"]) == ("s2", "d", {"c": "d"})
    openstack("volume", "snapshot", "set", id, "--no-property")
    shown = openstack.facts("volume", "snapshot", "show", "s2")
    assert (shown["properties"], shown["volume_id"]) == ({}, volume)
    openstack("volume", "revert", id)
    openstack.settled("volume", "show", volume)
    clone = openstack.facts("volume", "create", "--snapshot", id, "clone")["id"]
    assert openstack.settled("volume", "show", clone)["snapshot_id"] == id
    copy = openstack.facts("volume", "create", "--source", clone, "copy")["id"]
    assert openstack.settled("volume", "show", copy)["source_volid"] == clone
    openstack("volume", "delete", copy, clone)
    openstack("volume", "snapshot", "set", id, "--state", "error")
    assert openstack.facts("volume", "snapshot", "show", id)["status"] == "error"
    openstack("volume", "snapshot", "delete", id)
    openstack.gone("volume", "snapshot", "show", id)


def with_images(openstack, images):
    image = images.create(os.urandom(1024**2), visibility="public")
    id = made(openstack, "--image", image)
    shown = openstack.facts("volume", "show", id)
    assert (shown["bootable"], shown["volume_image_metadata"]["image_id"]) == (True, image)
    uploaded = openstack.facts("image", "create", "--volume", id, "uploaded")["image_id"]
    openstack.settled("volume", "show", id)
    assert images.show(uploaded)["name"] == "uploaded"
    openstack("volume", "delete", id)


def adoption(openstack):
    id = made(openstack)
    pool = where(openstack, id)
    snapshot = openstack.facts("volume", "snapshot", "create", "--volume", id, "s")["id"]
    openstack.settled("volume", "snapshot", "show", snapshot)
    openstack("volume", "snapshot", "delete", "--remote", snapshot)
    openstack.gone("volume", "snapshot", "show", snapshot)
    found = openstack.rows("block", "storage", "snapshot", "manageable", "list", pool, "--long")
    assert [one["safe_to_manage"] for one in found
            if one["reference"] == {"source-name": f"snapshot-{snapshot}"}] == [True]
    again = openstack.facts("volume", "snapshot", "create", "--volume", id, "--remote-source",
                            f"source-name=snapshot-{snapshot}", "again")["id"]
    openstack.settled("volume", "snapshot", "show", again)
    openstack("volume", "snapshot", "delete", again)
    openstack.gone("volume", "snapshot", "show", again)
    openstack("volume", "delete", "--remote", id)
    openstack.gone("volume", "show", id)
    found = openstack.rows("block", "storage", "volume", "manageable", "list", pool)
    assert [one["safe_to_manage"] for one in found if one["reference"] == {"source-name": f"volume-{id}"}] == [True]
    taken = openstack.facts("volume", "create", "--remote-source", f"source-name=volume-{id}", "--host", pool,
                            "taken")["id"]
    openstack.settled("volume", "show", taken)
    assert where(openstack, taken) == pool
    openstack("volume", "delete", taken)


def moves(openstack):
    id = made(openstack)
    here = where(openstack, id)
    there, = POOLS - {here}
    openstack("volume", "migrate", id, "--host", there)
    until(lambda: openstack.facts("volume", "show", id)["os-vol-mig-status-attr:migstat"] == "success",
          clients.LIMIT, "the migration", 0.1)
    assert where(openstack, id) == there
    openstack("volume", "set", id, "--type", "silver", "--migration-policy", "on-demand")
    until(lambda: openstack.facts("volume", "show", id)["type"] == "silver", clients.LIMIT,
          "the volume having the other type", 0.1)
    assert openstack.settled("volume", "show", id)["os-vol-host-attr:host"].startswith(HOST)
    openstack("volume", "delete", id)


def transfers(openstack):
    id = made(openstack)
    offered = openstack.facts("volume", "transfer", "request", "create", id, "--name", "t")
    assert offered["id"] in openstack.column("ID", "volume", "transfer", "request", "list")
    shown = openstack.facts("volume", "transfer", "request", "show", offered["id"])
    assert (shown["name"], shown["volume_id"]) == ("t", id)
    assert openstack.facts("volume", "show", id)["status"] == "awaiting-transfer"
    openstack("volume", "transfer", "request", "delete", offered["id"])
    offered = openstack.facts("volume", "transfer", "request", "create", id)
    taken = openstack.facts("volume", "transfer", "request", "accept", "--auth-key", offered["auth_key"], offered["id"])
    assert taken["volume_id"] == id
    openstack.settled("volume", "show", id)
    openstack("volume", "delete", id)


def attachments(openstack):
    id = made(openstack)
    reserved = openstack.facts("volume", "attachment", "create", id, "--server", SERVER)
    assert (reserved["status"], reserved["instance id"], reserved["volume id"]) == ("reserved", SERVER, id)
    listed, = openstack.rows("volume", "attachment", "list", "--volume-id", id)
    assert (listed["ID"], listed["Server ID"]) == (reserved["id"], SERVER)
    connected = openstack.facts("volume", "attachment", "set", reserved["id"], "--initiator",
                                "iqn.2026-01.org.example:h",
                                "--ip", "127.0.0.1", "--host", "h", "--mountpoint", "/dev/vdb")
    assert connected["properties"]["driver_volume_type"] == "iscsi"
    openstack("volume", "attachment", "complete", reserved["id"])
    assert openstack.facts("volume", "attachment", "show", reserved["id"])["status"] == "attached"
    attached, = openstack.facts("volume", "show", id)["attachments"]
    assert (attached["server_id"], attached["device"]) == (SERVER, "/dev/vdb")
    assert SERVER in str(next(row for row in openstack.rows("volume", "list") if row["ID"] == id)["Attached to"])
    assert "Compute API" in openstack.refused("volume", "attachment", "delete", reserved["id"])
    openstack("volume", "set", id, "--state", "available", "--detached")
    openstack("volume", "delete", "--force", id)
    other = made(openstack)
    reserved = openstack.facts("volume", "attachment", "create", other, "--server", SERVER)["id"]
    openstack("volume", "attachment", "delete", reserved)
    openstack.gone("volume", "attachment", "show", reserved)
    openstack("volume", "delete", other)


def groups(openstack):
    kind = openstack.facts("volume", "group", "type", "create", "consistent", "--description", "d")["id"]
    openstack("volume", "group", "type", "set", kind, "--description", "e", "--property", CONSISTENT)
    shown = openstack.facts("volume", "group", "type", "show", "consistent")
    assert (shown["description"], shown["properties"]) == ("e", dict([CONSISTENT.split("=")]))
    assert kind in openstack.column("ID", "volume", "group", "type", "list")
    assert openstack.column("ID", "volume", "group", "type", "list", "--default") == [kind]
    group = openstack.facts("volume", "group", "create", "--volume-group-type", kind, "--volume-type", "silver",
                            "--name", "g")["id"]
    openstack.settled("volume", "group", "show", group)
    listed = {row["ID"]: row for row in openstack.rows("volume", "group", "list")}
    assert (listed[group]["Name"], listed[group]["Status"]) == ("g", "available")
    member = made(openstack, "member", "--type", "silver")
    for change, shown in (("add", group), ("remove", None), ("add", group)):
        openstack("volume", "group", change, "volume", group, member)
        openstack.settled("volume", "group", "show", group)
        assert openstack.facts("volume", "show", member)["group_id"] == shown
    openstack("volume", "group", "set", group, "--name", "g2", "--description", "d")
    shown = openstack.facts("volume", "group", "show", group, "--volumes")
    assert (shown["name"], shown["description"], shown["volumes"]) == ("g2", "d", [member])
    snapshot = openstack.facts("volume", "group", "snapshot", "create", group, "--name", "gs")["id"]
    openstack.settled("volume", "group", "snapshot", "show", snapshot)
    assert snapshot in openstack.column("ID", "volume", "group", "snapshot", "list")
    copy = openstack.facts("volume", "group", "create", "--group-snapshot", snapshot, "--name", "copy")
    assert copy["group snapshot id"] == snapshot
    openstack.settled("volume", "group", "show", copy["id"])
    # No backend replicates here.
    assert "does not replicate" in openstack.refused("volume", "group", "set", group, "--enable-replication")
    # The client sends its failover as an action named modify_body_for_action.
    assert "no such action" in openstack.refused("volume", "group", "failover", group)
    openstack("volume", "group", "delete", "--force", copy["id"])
    openstack.gone("volume", "group", "show", copy["id"])
    openstack("volume", "group", "snapshot", "delete", snapshot)
    openstack.gone("volume", "group", "snapshot", "show", snapshot)
    openstack("volume", "group", "delete", "--force", group)
    openstack.gone("volume", "group", "show", group)
    openstack.gone("volume", "show", member)
    openstack("volume", "group", "type", "delete", kind)
    openstack.gone("volume", "group", "type", "show", kind)


def consistency_groups(openstack):
    group = openstack.facts("consistency", "group", "create", "--volume-type", "silver", "cg")["id"]
    openstack.settled("consistency", "group", "show", group)
    listed = {row["ID"]: row for row in openstack.rows("consistency", "group", "list", "--long")}
    assert (listed[group]["Name"], listed[group]["Status"]) == ("cg", "available")
    openstack("consistency", "group", "set", group, "--name", "cg2", "--description", "d")
    shown = openstack.settled("consistency", "group", "show", group)
    assert (shown["name"], shown["description"]) == ("cg2", "d")
    member = made(openstack, "inside", "--type", "silver", "--consistency-group", group)
    assert openstack.facts("volume", "show", member)["consistencygroup_id"] == group
    other = made(openstack, "later", "--type", "silver")
    for change, shown in (("add", group), ("remove", None)):
        openstack("consistency", "group", change, "volume", group, other)
        openstack.settled("consistency", "group", "show", group)
        assert openstack.facts("volume", "show", other).get("consistencygroup_id") == shown
    openstack("volume", "delete", other)
    snapshot = openstack.facts("consistency", "group", "snapshot", "create", "--consistency-group", group, "cgs")["id"]
    shown = openstack.settled("consistency", "group", "snapshot", "show", snapshot)
    assert shown["consistencygroup_id"] == group
    listed, = openstack.rows("consistency", "group", "snapshot", "list", "--long", "--consistency-group", group,
                             "--status", "available")
    assert (listed["ID"], listed["Name"], listed["ConsistencyGroup ID"]) == (snapshot, "cgs", group)
    # The client itself leaves out what has another status and another group than it was told, which may be none.
    assert openstack.rows("consistency", "group", "snapshot", "list") == []
    copy = openstack.facts("consistency", "group", "create", "--snapshot", snapshot, "copy")["id"]
    openstack.settled("consistency", "group", "show", copy)
    copied, = (id for id in openstack.column("ID", "volume", "list")
               if openstack.facts("volume", "show", id).get("consistencygroup_id") == copy)
    # The client says force under a key that is none of the request's.
    assert "it has 1 volumes" in openstack.refused("consistency", "group", "delete", "--force", copy)
    openstack("consistency", "group", "snapshot", "delete", snapshot)
    openstack.gone("consistency", "group", "snapshot", "show", snapshot)
    for whole, part in ((copy, copied), (group, member)):
        openstack("consistency", "group", "remove", "volume", whole, part)
        openstack.settled("consistency", "group", "show", whole)
        openstack("consistency", "group", "delete", whole)
        openstack.gone("consistency", "group", "show", whole)
        openstack("volume", "delete", part)


def backups(openstack, volume):
    id = openstack.facts("volume", "backup", "create", volume, "--name", "b", "--property", "a=b")["id"]
    openstack.settled("volume", "backup", "show", id)
    openstack("volume", "backup", "set", id, "--name", "kept", "--description", "d", "--property", "c=d")
    shown = openstack.facts("volume", "backup", "show", "kept")
    assert (shown["volume_id"], shown["description"], shown["metadata"]) == (volume, "d", {"a": "b", "c": "d"})
    more = openstack.facts("volume", "backup", "create", volume, "--incremental", "--name", "more")["id"]
    openstack.settled("volume", "backup", "show", more)
    listed = {row["ID"]: row for row in openstack.rows("volume", "backup", "list", "--long")}
    assert [(listed[one]["Name"], listed[one]["Incremental"]) for one in (id, more)] == [("kept", False),
                                                                                         ("more", True)]
    # The client asks for the keys at a path that backups have not.
    assert "404" in openstack.refused("volume", "backup", "unset", id, "--property", "a")
    restored = openstack.facts("volume", "backup", "restore", more, "restored")["volume_id"]
    assert openstack.settled("volume", "show", restored)["name"] == "restored"
    openstack("volume", "backup", "restore", "--force", id, restored)
    openstack.settled("volume", "backup", "show", id)
    openstack.settled("volume", "show", restored)
    openstack("volume", "delete", restored)
    record = openstack.facts("volume", "backup", "record", "export", id)
    assert record["backup_service"].endswith("Driver") and record["backup_url"]
    # The client posts the record to the path from which records are read.
    assert "404" in openstack.refused("volume", "backup", "record", "import", record["backup_service"],
                                      record["backup_url"])
    openstack("volume", "backup", "set", more, "--state", "error")
    assert openstack.facts("volume", "backup", "show", more)["status"] == "error"
    for one in (more, id):
        openstack("volume", "backup", "delete", one)
        openstack.gone("volume", "backup", "show", one)


def messages(openstack):
    openstack("volume", "type", "create", "nowhere", "--property", "volume_backend_name=nowhere")
    id = openstack.facts("volume", "create", "--size", "1", "--type", "nowhere")["id"]
    found = until(lambda: [one for one in openstack.rows("volume", "message", "list") if one["Resource UUID"] == id],
                  clients.LIMIT, "a message about the volume", 0.1)
    assert "No valid backend" in found[0]["User Message"]
    # The client looks for what to show under the key of the list.
    assert openstack.facts("volume", "message", "show", found[0]["ID"])["id"] == found[0]["ID"]
    openstack("volume", "message", "delete", found[0]["ID"])
    openstack.gone("volume", "message", "show", found[0]["ID"])
    openstack("volume", "delete", id)
    openstack.gone("volume", "show", id)


def services(openstack):
    def listed():
        return next(row for row in openstack.rows("volume", "service", "list", "--long", "--service", "cinder-volume")
                    if row["Host"] == HOST)

    openstack("volume", "service", "set", "--disable", "--disable-reason", "a pass", HOST, "cinder-volume")
    assert (listed()["Status"], listed()["Disabled Reason"]) == ("disabled", "a pass")
    openstack("volume", "service", "set", "--enable", HOST, "cinder-volume")
    assert listed()["Status"] == "enabled"
    openstack("volume", "host", "set", "--disable", HOST)
    openstack("volume", "host", "set", "--enable", HOST)
    # No backend replicates here.
    assert "does not replicate" in openstack.refused("volume", "host", "failover", HOST, "--volume-backend",
                                                     "elsewhere")
    levels, ours = ("block", "storage", "log", "level"), ("--service", "cinder-volume", "--log-prefix",
                                                          "cinder_lite.volume")
    for level in ("INFO", "DEBUG"):
        openstack(*levels, "set", level, *ours)
        assert set(openstack.column("Level", *levels, "list", "--host", HOST, *ours)) == {level}
    # The client asks by PUT for what is a POST.
    assert "404" in openstack.refused("block", "storage", "cleanup", "--host", HOST, "--cluster", "c",
                                      "--binary", "cinder-volume")
    # Services share no backends here: there are no clusters.
    assert openstack.rows("block", "storage", "cluster", "list", "--long") == []
    for words in (("show", "none"), ("set", "--disable", "none")):
        assert "none could not be found" in openstack.refused("block", "storage", "cluster", *words)
