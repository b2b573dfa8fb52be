"""Every command of the unmodified `cinder` that has an operation, with its output."""

import json
import os
import uuid

import pytest

from tests.acceptance import clients
from tests.acceptance.installation import BACKENDS
from tests.services.processes import until

HOST, POOL = f"here@{BACKENDS[0]}", f"here@{BACKENDS[0]}#{BACKENDS[0]}"
OTHER_POOL = f"here@{BACKENDS[1]}#{BACKENDS[1]}"
SERVER = str(uuid.uuid4())
#: Commands that ask the service for nothing.
LOCAL = {"help", "bash-completion", "bash_completion"}


@pytest.fixture(scope="module")
def cinder(keystone, service, images):
    shell = clients.Shell("cinder", clients.environment(keystone))
    yield shell
    shell.close()


def test_every_command(cinder, keystone, service, images):
    project = keystone.projects["admin"]
    about_the_service(cinder)
    type_id = types(cinder, project)
    quotas(cinder, project)
    volume = volumes(cinder)
    snapshots(cinder, volume)
    backups(cinder, volume)
    adoption(cinder)
    with_images(cinder, images)
    moves(cinder)
    transfers(cinder)
    attachments(cinder)
    groups(cinder, type_id)
    messages(cinder)
    services(cinder)
    assert cinder.commands - cinder.used == LOCAL


def made(cinder, *words):
    """A volume of one GiB that is available: its id."""
    id = cinder.facts("create", "1", *words)["id"]
    cinder.settled("show", id)
    return id


def about_the_service(cinder):
    assert "3.71" in cinder("version-list")
    assert "3.71" in cinder("api-version")
    assert cinder.column("Name", "availability-zone-list") == ["nova"]
    assert "volume" in cinder.column("Resource", "list-filters")
    assert POOL in cinder("get-pools")
    assert POOL.split("#")[0] in {row["Host"] for row in cinder.rows("service-list")}
    assert "storage_protocol" in cinder("get-capabilities", HOST)
    assert "maxTotalVolumes" in cinder.column("Name", "absolute-limits")
    cinder("rate-limits")
    assert {"total_count", "total_size"} <= set(cinder.facts("summary"))


def types(cinder, project):
    made = cinder.rows("type-create", "gold", "--description", "for a pass", "--is-public", "False")[0]
    assert (made["Name"], made["Is_Public"]) == ("gold", "False")
    cinder("type-update", made["ID"], "--description", "changed")
    assert "changed" in cinder("type-show", made["ID"])
    cinder("type-key", "gold", "set", f"volume_backend_name={BACKENDS[0]}")
    assert BACKENDS[0] in cinder("extra-specs-list")
    cinder("type-access-add", "--volume-type", "gold", "--project-id", project)
    assert project in cinder("type-access-list", "--volume-type", "gold")
    cinder("type-access-remove", "--volume-type", "gold", "--project-id", project)
    assert "gold" in cinder.column("Name", "type-list")
    assert "__DEFAULT__" in cinder("type-default")
    encryption(cinder, made["ID"])
    qos(cinder, made["ID"])
    default_types(cinder, project)
    return made["ID"]


def encryption(cinder, type_id):
    id = cinder.rows("type-create", "secret")[0]["ID"]
    cinder("encryption-type-create", "secret", "luks", "--cipher", "aes-xts-plain64", "--key-size", "256",
           "--control-location", "front-end")
    assert "luks" in cinder("encryption-type-show", "secret")
    cinder("encryption-type-update", "secret", "--key-size", "512")
    assert "512" in cinder("encryption-type-list")
    cinder("encryption-type-delete", "secret")
    cinder("type-delete", id)


def qos(cinder, type_id):
    spec = cinder.facts("qos-create", "fast", "consumer=front-end", "read_iops_sec=100")["id"]
    assert "fast" in cinder.column("Name", "qos-list")
    cinder("qos-key", spec, "set", "read_iops_sec=200")
    assert "200" in cinder("qos-show", spec)
    cinder("qos-associate", spec, type_id)
    assert "gold" in cinder("qos-get-association", spec)
    cinder("qos-disassociate", spec, type_id)
    cinder("qos-associate", spec, type_id)
    cinder("qos-disassociate-all", spec)
    cinder("qos-delete", spec)


def default_types(cinder, project):
    cinder("default-type-set", "__DEFAULT__", project)
    assert project in cinder("default-type-list")
    cinder("default-type-unset", project)


def quotas(cinder, project):
    assert cinder.facts("quota-defaults", project)["volumes"] == "10"
    cinder("quota-update", project, "--volumes", "77", "--gigabytes", "2000")
    assert cinder.facts("quota-show", project)["volumes"] == "77"
    assert "77" in cinder("quota-usage", project)
    cinder("quota-delete", project)
    assert cinder.facts("quota-show", project)["volumes"] == "10"
    cinder("quota-class-update", "default", "--volumes", "60", "--snapshots", "60", "--backups", "60")
    assert cinder.facts("quota-class-show", "default")["volumes"] == "60"


def volumes(cinder):
    id = made(cinder, "--name", "first", "--metadata", "a=b")
    assert id in cinder.column("ID", "list")
    cinder("rename", id, "renamed", "--description", "d")
    assert cinder.facts("show", "renamed")["id"] == id
    cinder("extend", id, "2")
    assert cinder.settled("show", id)["size"] == "2"
    cinder("metadata", id, "set", "c=d")
    assert cinder.facts("metadata-show", id) == {"a": "b", "c": "d"}
    cinder("metadata-update-all", id, "e=f")
    assert cinder.facts("metadata-show", id) == {"e": "f"}
    cinder("image-metadata", id, "set", "hw_x=y")
    assert cinder.facts("image-metadata-show", id) == {"hw_x": "y"}
    cinder("image-metadata", id, "unset", "hw_x")
    cinder("set-bootable", id, "True")
    cinder("readonly-mode-update", id, "True")
    assert cinder.facts("show", id)["bootable"] == "true"
    cinder("readonly-mode-update", id, "False")
    cinder("reset-state", id, "--state", "error")
    assert cinder.facts("show", id)["status"] == "error"
    cinder("force-delete", id)
    cinder.gone("show", id)
    return made(cinder, "--name", "second")


def snapshots(cinder, volume):
    id = cinder.facts("snapshot-create", volume, "--name", "s")["id"]
    cinder.settled("snapshot-show", id)
    cinder("snapshot-rename", id, "s2")
    assert "s2" in cinder.column("Name", "snapshot-list")
    cinder("snapshot-metadata", id, "set", "a=b")
    assert cinder.facts("snapshot-metadata-show", id) == {"a": "b"}
    cinder("snapshot-metadata-update-all", id, "c=d")
    assert cinder.facts("snapshot-metadata-show", id) == {"c": "d"}
    cinder("revert-to-snapshot", id)
    cinder.settled("show", volume)
    cinder("snapshot-reset-state", id, "--state", "error")
    assert cinder.facts("snapshot-show", id)["status"] == "error"
    cinder("snapshot-delete", id)
    cinder.gone("snapshot-show", id)


def backups(cinder, volume):
    id = cinder.facts("backup-create", volume, "--name", "b")["id"]
    cinder.settled("backup-show", id)
    cinder("backup-update", id, "--name", "b2")
    assert "b2" in cinder.column("Name", "backup-list")
    restored = cinder.facts("backup-restore", id)["volume_id"]
    cinder.settled("show", restored)
    record = cinder.facts("backup-export", id)
    cinder("backup-reset-state", id, "--state", "error")
    assert cinder.facts("backup-show", id)["status"] == "error"
    cinder("backup-reset-state", id, "--state", "available")
    cinder("backup-delete", id)
    cinder.gone("backup-show", id)
    refused = cinder.run("backup-import", record["backup_service"], record["backup_url"])
    assert (refused["status"], "backup_id" in refused["out"] + refused["err"] or "id" in refused["out"]) == (0, True)
    cinder.used.add("backup-import")
    cinder("delete", restored)
    cinder.gone("show", restored)


def adoption(cinder):
    id = made(cinder)
    host = cinder.facts("show", id)["os-vol-host-attr:host"]
    snapshot = cinder.facts("snapshot-create", id)["id"]
    cinder.settled("snapshot-show", snapshot)
    cinder("snapshot-unmanage", snapshot)
    cinder.gone("snapshot-show", snapshot)
    assert snapshot in cinder("snapshot-manageable-list", host, "--detailed", "False")
    again = cinder.facts("snapshot-manage", id, f"snapshot-{snapshot}")["id"]
    cinder.settled("snapshot-show", again)
    cinder("snapshot-delete", again)
    cinder.gone("snapshot-show", again)
    cinder("unmanage", id)
    cinder.gone("show", id)
    assert id in cinder("manageable-list", host)
    taken = cinder.facts("manage", host, f"volume-{id}", "--name", "taken")["id"]
    cinder.settled("show", taken)
    cinder("delete", taken)


def with_images(cinder, images):
    image = images.create(os.urandom(1024**2), visibility="public")
    id = made(cinder, "--image-id", image)
    uploaded = cinder.facts("upload-to-image", id, "uploaded")["image_id"]
    cinder.settled("show", id)
    assert images.show(uploaded)["name"] == "uploaded"
    cinder("reimage", id, image)
    assert cinder.settled("show", id)["bootable"] == "true"
    cinder("delete", id)


def moves(cinder):
    id = made(cinder)
    here = cinder.facts("show", id)["os-vol-host-attr:host"]
    there, = {POOL, OTHER_POOL} - {here}
    cinder("migrate", id, there)
    until(lambda: cinder.facts("show", id)["migration_status"] == "success", 600, "the migration")
    assert cinder.facts("show", id)["os-vol-host-attr:host"] == there
    cinder("retype", id, "gold", "--migration-policy", "on-demand")
    until(lambda: cinder.facts("show", id)["volume_type"] == "gold", 600, "the volume having the other type")
    assert cinder.settled("show", id)["os-vol-host-attr:host"] == POOL
    cinder("delete", id)


def transfers(cinder):
    id = made(cinder)
    offered = cinder.facts("transfer-create", id, "--name", "t")
    assert offered["id"] in cinder.column("ID", "transfer-list")
    assert cinder.facts("transfer-show", offered["id"])["volume_id"] == id
    cinder("transfer-delete", offered["id"])
    offered = cinder.facts("transfer-create", id)
    assert cinder.facts("transfer-accept", offered["id"], offered["auth_key"])["volume_id"] == id
    cinder("delete", id)


def attachments(cinder):
    id = made(cinder)
    reserved = cinder.facts("attachment-create", id, SERVER)["id"]
    assert reserved in cinder.column("ID", "attachment-list")
    cinder("attachment-update", reserved, "--initiator", "iqn.2026-01.org.example:h", "--ip", "127.0.0.1", "--host",
           "h")
    cinder("attachment-complete", reserved)
    assert cinder.facts("attachment-show", reserved)["status"] == "attached"
    assert "Compute API" in cinder.refused("attachment-delete", reserved)
    cinder("reset-state", id, "--state", "available", "--attach-status", "detached")
    other = made(cinder)
    reserved = cinder.facts("attachment-create", other, SERVER)["id"]
    cinder("attachment-delete", reserved)
    cinder("delete", other)


def groups(cinder, type_id):
    kind = cinder.rows("group-type-create", "consistent")[0]["ID"]
    cinder("group-type-update", kind, "--description", "d")
    cinder("group-type-key", kind, "set", "consistent_group_snapshot_enabled=<is> True")
    assert "consistent_group_snapshot_enabled" in cinder("group-specs-list")
    assert "consistent" in cinder("group-type-show", kind)
    assert kind in cinder.column("ID", "group-type-list")
    assert "consistent" in cinder("group-type-default")
    group = cinder.facts("group-create", kind, "__DEFAULT__", "--name", "g")["id"]
    cinder.settled("group-show", group)
    assert group in cinder.column("ID", "group-list")
    member = made(cinder, "--group-id", group, "--volume-type", "__DEFAULT__")
    cinder("group-update", group, "--name", "g2")
    snapshot = cinder.facts("group-snapshot-create", group)["id"]
    cinder.settled("group-snapshot-show", snapshot)
    assert snapshot in cinder.column("ID", "group-snapshot-list")
    copy = cinder.facts("group-create-from-src", "--group-snapshot", snapshot)["id"]
    cinder.settled("group-show", copy)
    replication(cinder, group)
    for command, id in (("group-delete", copy), ("group-snapshot-delete", snapshot), ("group-delete", group)):
        cinder(command, *(["--delete-volumes"] if command == "group-delete" else []), id)
        cinder.gone(command.replace("delete", "show"), id)
    cinder.gone("show", member)
    cinder("group-type-delete", kind)
    consistency_groups(cinder)


def replication(cinder, group):
    """No backend replicates here: the commands are refused with that."""
    for command in ("group-enable-replication", "group-disable-replication", "group-failover-replication",
                    "group-list-replication-targets"):
        assert "HTTP 400" in cinder.refused(command, group)


def consistency_groups(cinder):
    group = cinder.facts("consisgroup-create", "__DEFAULT__", "--name", "cg")["id"]
    cinder.settled("consisgroup-show", group)
    assert group in cinder.column("ID", "consisgroup-list")
    cinder("consisgroup-update", group, "--name", "cg2")
    member = made(cinder, "--consisgroup-id", group, "--volume-type", "__DEFAULT__")
    snapshot = cinder.facts("cgsnapshot-create", group)["id"]
    cinder.settled("cgsnapshot-show", snapshot)
    assert snapshot in cinder.column("ID", "cgsnapshot-list")
    copy = cinder.facts("consisgroup-create-from-src", "--cgsnapshot", snapshot)["id"]
    cinder.settled("consisgroup-show", copy)
    for command, id in (("consisgroup-delete", copy), ("cgsnapshot-delete", snapshot), ("consisgroup-delete", group)):
        cinder(command, *(["--force"] if command == "consisgroup-delete" else []), id)
        cinder.gone(command.replace("delete", "show"), id)
    cinder.gone("show", member)


def messages(cinder):
    cinder("type-create", "impossible")
    cinder("type-key", "impossible", "set", "volume_backend_name=nowhere")
    id = cinder.facts("create", "1", "--volume-type", "impossible")["id"]
    found = until(lambda: cinder.rows("message-list", "--resource_uuid", id), 600, "a message about the volume")
    assert id in json.dumps(cinder.facts("message-show", found[0]["ID"]))
    cinder("message-delete", found[0]["ID"])
    cinder("delete", id)


def services(cinder):
    cinder("service-disable", HOST, "cinder-volume", "--reason", "a pass")
    assert "a pass" in cinder("service-list")
    cinder("service-enable", HOST, "cinder-volume")
    cinder("freeze-host", HOST)
    cinder("thaw-host", HOST)
    cinder("service-set-log", "info", "--binary", "cinder-volume")
    assert "INFO" in cinder("service-get-log", "--binary", "cinder-volume").upper()
    cinder("service-set-log", "debug", "--binary", "cinder-volume")
    cinder("work-cleanup")
    cinder("cluster-list")
    for command, words in (("failover-host", [HOST]), ("cluster-show", ["none"]), ("cluster-enable", ["none"]),
                           ("cluster-disable", ["none"])):
        assert "HTTP 40" in cinder.refused(command, *words)
