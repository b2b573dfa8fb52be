"""Access to volumes, checked by initiators: a connection lasts exactly as long as the right to the data."""

import subprocess
import uuid

import pytest
import sqlalchemy as sa

from cinder_lite import context, states
from cinder_lite.db import schema, volumes
from cinder_lite.volume import driver_views
from cinder_lite.volume.verbs.transfers import Transfers
from tests.functional.client import Client
from tests.functional.service import Service, until

THEIRS = "b0000000000000000000000000000002"
SECTION = """
[{name}]
volume_driver = file
file_volume_dir = {{state}}/{name}
target_helper = {helper}
target_port = {{target_port}}
tgt_control_port = {{control_port}}
"""
HELPERS = ("tgt", "nbd")
ONE, TWO = ({"host": name, "initiator": f"iqn.2026-01.org.example:{name}"} for name in ("one", "two"))
SERVER = "11111111-9c35-4b7b-9a2d-2f0c2f7b9c11"


def serving(*helpers, default="", options=""):
    """A service with two backends for each target; `default` are further settings, `options` those of the backends."""
    sections = {f"{helper}-{n}": SECTION.format(name=f"{helper}-{n}", helper=helper) + options for helper in helpers
                for n in (1, 2)}
    default = ("job_sweep_interval = 0.2\nquota_volumes = 500\nquota_snapshots = 100\nquota_backups = 100\n"
               f"quota_gigabytes = 2000\n{default}")
    return Service(backends=tuple(sections), sections=sections, default=default, target="tgt" in helpers)


@pytest.fixture(scope="module")
def service():
    with serving(*HELPERS) as running:
        yield running


@pytest.fixture
def client(service):
    return Client(service.url)


@pytest.fixture(scope="module")
def types(service):
    add_types(Client(service.url), service.backends)


def add_types(client, backends):
    """Volume types of each backend: of that alone, also for several hosts, and one to which a retype moves nothing."""
    for name in backends:
        for kind, more in (("", {}), ("-shared", {"multiattach": "<is> True"}), ("-plain", {})):
            specs = {"volume_backend_name": name, **more} if kind != "-plain" else {"volume_backend_name": name}
            client("POST", "/types", {"volume_type": {"name": name + kind, "extra_specs": specs}}, expect=200)


@pytest.fixture(params=HELPERS)
def helper(request, types):
    return request.param


def act(client, id, action, body=None, expect=202):
    return client("POST", f"/volumes/{id}/action", {action: body}, expect=expect)


def initialized(client, id, connector=ONE):
    info = act(client, id, "os-initialize_connection", {"connector": connector}, 200)["connection_info"]
    return {**info["data"], "initiator": connector["initiator"]}


def attached(client, id, connector=ONE, **more):
    """The attachment of a host that has the volume."""
    body = {"attachment": {"volume_uuid": id, "connector": connector, "instance_uuid": str(uuid.uuid4()), **more}}
    found = client("POST", "/attachments", body, expect=200)["attachment"]
    client("POST", f"/attachments/{found['id']}/action", {"os-complete": None}, expect=204)
    return with_initiator(found, connector)


def with_initiator(found, connector):
    """An attachment with the credentials of its host in the connection information."""
    return {**found, "connection_info": {**found["connection_info"], "initiator": connector["initiator"]}}


def address(info):
    """The words by which qemu's tools log in with this connection information."""
    if "uri" in info:
        return ["-f", "raw", info["uri"]]
    options = {"driver": "raw", "file.driver": "iscsi", "file.transport": "tcp", "file.portal": info["target_portal"],
               "file.target": info["target_iqn"], "file.lun": info["target_lun"], "file.user": info["auth_username"],
               "file.password-secret": "secret", "file.initiator-name": info["initiator"]}
    return ["--object", f"secret,id=secret,data={info['auth_password']}", "--image-opts",
            ",".join(f"{key}={value}" for key, value in options.items())]


def tried(info, *words):
    """Whether an initiator that has this connection information succeeds."""
    done = subprocess.run(["qemu-io", *words, *address(info)], capture_output=True, text=True, timeout=120)
    return done.returncode == 0 and "4 KiB" in done.stdout


def reads(info):
    return tried(info, "-r", "-c", "read 0 4096")


def writes(info):
    return tried(info, "-c", "write -P 7 0 4096")


def reaches(info):
    """Whether the initiator reads and writes; one alone is neither."""
    found = reads(info), writes(info)
    assert found in ((True, True), (False, False)), found
    return found[0]


def rows(service, **values):
    with service.process.db.read() as tx:
        return tx.execute(sa.select(schema.connections).where(
            *(schema.connections.c[key] == value for key, value in values.items()))).all()


# -- what ends the right to the data ends the connection

def _transfer(service, client, id):
    offered = client("POST", "/volume-transfers", {"transfer": {"volume_id": id}}, expect=202)["transfer"]
    Client(service.url, project=THEIRS)("POST", f"/volume-transfers/{offered['id']}/accept", {
        "accept": {"auth_key": offered["auth_key"]}}, expect=202)


def _terminate(service, client, id):
    act(client, id, "os-terminate_connection", {"connector": ONE})


def _terminate_all(service, client, id):
    act(client, id, "os-terminate_connection", {"connector": {}})


def _detach(service, client, id):
    act(client, id, "os-attach", {"instance_uuid": SERVER, "mountpoint": "/dev/vdb"})
    act(client, id, "os-detach", {})


def _detach_by_id(service, client, id):
    act(client, id, "os-attach", {"host_name": "one", "mountpoint": "/dev/vdb"})
    found = client("GET", f"/attachments?volume_id={id}", expect=200)["attachments"]
    act(client, id, "os-detach", {"attachment_id": found[0]["id"]})


def _detach_what_was_never_attached(service, client, id):
    act(client, id, "os-detach", {})


def _force_detach(service, client, id):
    act(client, id, "os-attach", {"instance_uuid": SERVER, "mountpoint": "/dev/vdb"})
    found = client("GET", f"/attachments?volume_id={id}", expect=200)["attachments"]
    act(client, id, "os-force_detach", {"attachment_id": found[0]["id"], "connector": ONE})


def _another_is_detached(service, client, id):
    client("DELETE", f"/attachments/{attached(client, id, TWO)['id']}", expect=200)


def _delete(service, client, id):
    client("DELETE", f"/volumes/{id}", expect=202)
    client.gone("volumes", id)


def _force_delete(service, client, id):
    act(client, id, "os-force_delete")
    client.gone("volumes", id)


def _unmanage(service, client, id):
    act(client, id, "os-unmanage")
    client.gone("volumes", id)


def _restore(service, client, id):
    backup = client.made("backups", volume_id=id)
    client("POST", f"/backups/{backup['id']}/restore", {"restore": {"volume_id": id}}, expect=202)
    client.settled("volumes", id)
    client.settled("backups", backup["id"])


def _revert(service, client, id):
    snapshot = client.made("snapshots", volume_id=id)
    act(client, id, "revert", {"snapshot_id": snapshot["id"]})
    client.settled("volumes", id)


def _migrate(service, client, id):
    here = client("GET", f"/volumes/{id}",
                  expect=200)["volume"]["os-vol-host-attr:host"].partition("@")[2].partition("#")[0]
    there = f"{here[:-1]}{3 - int(here[-1])}"
    act(client, id, "os-retype", {"new_type": "__DEFAULT__"})
    client.settled("volumes", id)
    act(client, id, "os-migrate_volume", {"host": f"test@{there}"})
    until(lambda: client("GET", f"/volumes/{id}", expect=200)["volume"]["migration_status"] == "success",
          "the migration")


def _retype_with_a_move(service, client, id):
    here = client("GET", f"/volumes/{id}", expect=200)["volume"]["volume_type"]
    act(client, id, "os-retype", {"new_type": f"{here[:-1]}{3 - int(here[-1])}", "migration_policy": "on-demand"})
    until(lambda: client("GET", f"/volumes/{id}", expect=200)["volume"]["volume_type"] != here, "the retype")
    client.settled("volumes", id)


def _reset(service, client, id):
    act(client, id, "os-reset_status", {"status": "available", "attach_status": "detached"})


def _delete_the_group(service, client, id):
    type_id = client("GET", f"/volumes/{id}", expect=200)["volume"]["volume_type_id"]
    kind = client("POST", "/group_types", {"group_type": {"name": str(uuid.uuid4())}}, expect=202)["group_type"]["id"]
    group = client("POST", "/groups", {"group": {"group_type": kind, "volume_types": [type_id]}},
                   expect=202)["group"]["id"]
    until(lambda: client("GET", f"/groups/{group}", expect=200)["group"]["status"] == "available", "the group")
    client("PUT", f"/groups/{group}", {"group": {"add_volumes": id}}, expect=202)
    until(lambda: client("GET", f"/groups/{group}", expect=200)["group"]["status"] == "available", "the group")
    client("POST", f"/groups/{group}/action", {"delete": {"delete-volumes": True}}, expect=202)
    client.gone("volumes", id)


ENDS = (_transfer, _terminate, _terminate_all, _detach, _detach_by_id, _detach_what_was_never_attached, _force_detach,
        _another_is_detached, _delete, _force_delete, _unmanage, _restore, _revert, _migrate, _retype_with_a_move,
        _reset,
        _delete_the_group)


@pytest.mark.parametrize("end", ENDS, ids=lambda one: one.__name__.strip("_"))
def test_the_end_of_the_right_to_the_data_ends_the_connection(service, client, helper, end):
    id = client.made("volumes", size=1,
                     volume_type=f"{helper}-1{'-shared' if end is _another_is_detached else ''}")["id"]
    info = initialized(client, id)
    assert reaches(info)
    end(service, client, id)
    assert not reaches(info)
    assert rows(service, volume_id=id) == []
    owner = Client(service.url, project=THEIRS) if end is _transfer else client
    if owner("GET", f"/volumes/{id}")[0] == 200:
        # A later connection has another secret, and does not bring the former one back.
        later = initialized(owner, id, TWO)
        assert reaches(later)
        assert helper == "nbd" or not reaches(info)


@pytest.mark.parametrize("end", ["delete", "reset", "force_detach"])
def test_the_end_of_an_attachment_ends_its_connection(service, client, helper, end):
    id = client.made("volumes", size=1, volume_type=f"{helper}-1")["id"]
    found = attached(client, id)
    info = found["connection_info"]
    assert reaches(info)
    if end == "delete":
        client("DELETE", f"/attachments/{found['id']}", expect=200)
    elif end == "reset":
        _reset(service, client, id)
    else:
        act(client, id, "os-force_detach", {"attachment_id": found["id"], "connector": ONE})
    assert not reaches(info)
    assert rows(service, volume_id=id) == []


# -- what does not, keeps it

def _offer(service, client, id):
    offered = client("POST", "/volume-transfers", {"transfer": {"volume_id": id}}, expect=202)["transfer"]
    client("DELETE", f"/volume-transfers/{offered['id']}", expect=202)


def _retype(service, client, id):
    here = client("GET", f"/volumes/{id}", expect=200)["volume"]["volume_type"]
    act(client, id, "os-retype", {"new_type": f"{here}-plain"})
    client.settled("volumes", id)


def _extend(service, client, id):
    act(client, id, "os-extend", {"new_size": 2})
    client.settled("volumes", id)


def _snapshot(service, client, id):
    client.made("snapshots", volume_id=id)


def _back_up(service, client, id):
    client.made("backups", volume_id=id)
    client.settled("volumes", id)


def _other_ends(service, client, id):
    initialized(client, id, TWO)
    act(client, id, "os-terminate_connection", {"connector": TWO})


def _attach(service, client, id):
    act(client, id, "os-attach", {"instance_uuid": SERVER, "mountpoint": "/dev/vdb"})


def _again(service, client, id):
    initialized(client, id)


def _exports_restored(service, client, id):
    for backend in service.volume.backends:
        backend.manager.exports.restore()
        backend.manager.exports.sweep()


KEEPS = (_offer, _retype, _extend, _snapshot, _back_up, _other_ends, _attach, _again, _exports_restored)


@pytest.mark.parametrize("keep", KEEPS, ids=lambda one: one.__name__.strip("_"))
def test_other_actions_keep_the_connection(service, client, helper, keep):
    id = client.made("volumes", size=1, volume_type=f"{helper}-1")["id"]
    info = initialized(client, id)
    keep(service, client, id)
    assert reaches(info)
    assert initialized(client, id) == info


def test_a_volume_that_is_being_deleted_is_not_exported_again(service, client, helper):
    """Its exports are removed first, and its connections last: those are not exports that the target has lost."""
    id = client.made("volumes", size=1, volume_type=f"{helper}-1")["id"]
    info = initialized(client, id)
    exports = next(one.manager.exports for one in service.volume.backends if one.backend.section == f"{helper}-1")
    _set_status(service, id, states.DELETING)
    with service.process.db.read() as tx:
        exports.backend.remove_exports(driver_views.as_volume(volumes.find(tx, id)))
    assert not exports.are_lost()
    exports.restore()
    assert not reaches(info)
    _set_status(service, id, states.AVAILABLE)
    assert exports.are_lost()


def _set_status(service, id, status):
    with service.process.db.write() as tx:
        tx.execute(sa.update(schema.volumes).where(schema.volumes.c.id == id).values(status=status))


def test_hosts_have_secrets_of_their_own_and_go_one_by_one(service, client, helper):
    id = client.made("volumes", size=1, volume_type=f"{helper}-1-shared")["id"]
    one, two = (attached(client, id, connector) for connector in (ONE, TWO))
    first, second = one["connection_info"], two["connection_info"]
    assert helper == "nbd" or first["auth_password"] != second["auth_password"]
    assert reaches(first) and reaches(second)
    client("DELETE", f"/attachments/{one['id']}", expect=200)
    assert not reaches(first) and reaches(second)
    _exports_restored(service, client, id)
    assert not reaches(first) and reaches(second)
    client("DELETE", f"/attachments/{two['id']}", expect=200)
    assert not reaches(second)


def test_two_attachments_of_one_host_share_its_connection_until_the_last_goes(service, client, helper):
    id = client.made("volumes", size=1, volume_type=f"{helper}-1-shared")["id"]
    one, two = attached(client, id), attached(client, id)
    client("DELETE", f"/attachments/{one['id']}", expect=200)
    assert reaches(two["connection_info"])
    client("DELETE", f"/attachments/{two['id']}", expect=200)
    assert not reaches(two["connection_info"])


def test_an_attachment_that_goes_to_another_host_leaves_the_first(client, helper):
    id = client.made("volumes", size=1, volume_type=f"{helper}-1")["id"]
    body = {"attachment": {"volume_uuid": id, "connector": ONE, "instance_uuid": SERVER}}
    found = with_initiator(client("POST", "/attachments", body, expect=200)["attachment"], ONE)
    moved = client("PUT", f"/attachments/{found['id']}", {"attachment": {"connector": TWO}}, expect=200)["attachment"]
    moved = with_initiator(moved, TWO)
    assert reaches(moved["connection_info"])
    assert helper == "nbd" or not reaches(found["connection_info"])


@pytest.mark.parametrize("way", ["offered", "deleted"])
def test_no_host_is_connected_to_a_volume_that_leaves(service, client, helper, way):
    id = client.made("volumes", size=1, volume_type=f"{helper}-1")["id"]
    client("POST", "/volume-transfers", {"transfer": {"volume_id": id}}, expect=202)
    if way == "deleted":
        act(client, id, "os-reset_status", {"status": "error"})
        _delete(service, client, id)
    answer = client("POST", f"/volumes/{id}/action", {"os-initialize_connection": {"connector": ONE}})[0]
    assert answer == (400 if way == "offered" else 404)
    assert rows(service, volume_id=id) == []


def test_a_transfer_that_cannot_put_the_former_owner_out_is_refused(service, client, types):
    id = client.made("volumes", size=1, volume_type="tgt-1")["id"]
    initialized(client, id)
    offered = client("POST", "/volume-transfers", {"transfer": {"volume_id": id}}, expect=202)["transfer"]
    somebody = context.Context(user_id="joe", project_id=THEIRS, overwrite=False)
    service.tgtd.stop()
    try:
        status, answer = Client(service.url, project=THEIRS)("POST", f"/volume-transfers/{offered['id']}/accept", {
            "accept": {"auth_key": offered["auth_key"]}})
        assert status == 503 and "could not be disconnected" in answer["serviceUnavailable"]["message"]
        assert client("GET", f"/volumes/{id}", expect=200)["volume"]["status"] == states.AWAITING
    finally:
        service.tgtd.start()
        _exports_restored(service, client, id)
    Transfers(service.process.db, service.conf, service.process.volume).accept(somebody, offered["id"],
                                                                               offered["auth_key"])
    assert rows(service, volume_id=id) == []


# -- read only

def _by_create(client, id):
    return attached(client, id)


def _by_update(client, id):
    found = client("POST", "/attachments", {"attachment": {"volume_uuid": id, "instance_uuid": SERVER}},
                   expect=200)["attachment"]
    assert found["attach_mode"] == "ro"
    found = client("PUT", f"/attachments/{found['id']}", {"attachment": {"connector": TWO}}, expect=200)["attachment"]
    return with_initiator(found, TWO)


def _by_create_with_mode(client, id):
    return attached(client, id, mode="rw")


@pytest.mark.parametrize("way", [_by_create, _by_update, _by_create_with_mode], ids=lambda one: one.__name__.strip("_"))
def test_a_read_only_volume_is_attached_read_only(client, helper, way):
    id = client.made("volumes", size=1, volume_type=f"{helper}-1")["id"]
    act(client, id, "os-update_readonly_flag", {"readonly": True})
    found = way(client, id)
    info = found["connection_info"]
    assert (found["attach_mode"], info["access_mode"]) == ("ro", "ro")
    assert reads(info) and not writes(info)


def test_a_read_only_volume_is_exported_read_only_by_the_legacy_actions(client, helper):
    id = client.made("volumes", size=1, volume_type=f"{helper}-1")["id"]
    act(client, id, "os-update_readonly_flag", {"readonly": True})
    info = initialized(client, id)
    assert info["access_mode"] == "ro"
    assert reads(info) and not writes(info)
    act(client, id, "os-attach", {"instance_uuid": SERVER, "mountpoint": "/dev/vdb", "mode": "rw"}, 400)
    act(client, id, "os-attach", {"instance_uuid": SERVER, "mountpoint": "/dev/vdb", "mode": "ro"})
    assert reads(info) and not writes(info)
    assert initialized(client, id)["access_mode"] == "ro"


def test_the_read_only_flag_changes_an_existing_connection(client, helper):
    id = client.made("volumes", size=1, volume_type=f"{helper}-1")["id"]
    info = initialized(client, id)
    act(client, id, "os-update_readonly_flag", {"readonly": True})
    info = initialized(client, id) if helper == "nbd" else info
    assert reads(info) and not writes(info)
    act(client, id, "os-update_readonly_flag", {"readonly": False})
    info = initialized(client, id) if helper == "nbd" else info
    assert reaches(info)


def test_one_host_reads_and_another_writes(client, helper):
    id = client.made("volumes", size=1, volume_type=f"{helper}-1-shared")["id"]
    reader, writer = attached(client, id, ONE, mode="ro"), attached(client, id, TWO, mode="rw")
    assert reads(reader["connection_info"]) and not writes(reader["connection_info"])
    assert reaches(writer["connection_info"])


# -- what a release before, or Cinder, left

def test_an_export_of_the_release_before_is_kept_and_ends_like_others(service, client, types):
    id = client.made("volumes", size=1, volume_type="tgt-1")["id"]
    found = attached(client, id)
    with service.process.db.write() as tx:
        tx.execute(sa.delete(schema.connections).where(schema.connections.c.volume_id == id))
    _exports_restored(service, client, id)
    one, = rows(service, volume_id=id)
    assert (one.attachment_id, one.initiator, one.state) == (found["id"], ONE["initiator"], "connected")
    assert reaches(found["connection_info"])
    client("DELETE", f"/attachments/{found['id']}", expect=200)
    assert not reaches(found["connection_info"])
    assert rows(service, volume_id=id) == []


def test_an_export_of_the_release_before_without_an_attachment_ends_too(service, client, types):
    id = client.made("volumes", size=1, volume_type="tgt-1")["id"]
    info = initialized(client, id)
    with service.process.db.write() as tx:
        tx.execute(sa.delete(schema.connections).where(schema.connections.c.volume_id == id))
    assert reaches(info)
    _transfer(service, client, id)
    assert not reaches(info)
