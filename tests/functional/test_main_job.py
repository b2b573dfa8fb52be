"""The main operations over HTTP, with data: volumes, snapshots, clones, attachments and backups."""

import hashlib
import os
import subprocess

CONNECTOR = {"host": "client", "ip": "127.0.0.1", "initiator": "iqn.1993-08.org.example:client", "platform": "x86_64",
             "os_type": "linux", "multipath": False}
SERVER = "6a2f5c33-9c35-4b7b-9a2d-2f0c2f7b9c11"


def path(service, volume_id):
    return os.path.join(service.state, "volumes", f"volume-{volume_id}")


def digest(name):
    """A digest of the contents: these tests write within the first 16 MiB, the size covers the rest."""
    with open(name, "rb") as data:
        return os.path.getsize(name), hashlib.sha256(data.read(16 << 20)).hexdigest()


def scribble(service, volume_id, offset, text):
    with open(path(service, volume_id), "r+b") as volume:
        volume.seek(offset)
        volume.write(text)


def test_snapshot_keeps_the_data_of_the_volume(client, service):
    volume = client.made("volumes", size=1)
    scribble(service, volume["id"], 0, b"before")
    before = digest(path(service, volume["id"]))
    snapshot = client.made("snapshots", volume_id=volume["id"])
    scribble(service, volume["id"], 0, b"after!")
    copy = client.made("volumes", snapshot_id=snapshot["id"])
    clone = client.made("volumes", source_volid=volume["id"])
    assert digest(path(service, copy["id"])) == before
    assert digest(path(service, clone["id"])) == digest(path(service, volume["id"])) != before


def test_revert_brings_the_content_back(client, service):
    volume = client.made("volumes", size=1)
    scribble(service, volume["id"], 4096, b"kept")
    snapshot = client.made("snapshots", volume_id=volume["id"])
    before = digest(path(service, volume["id"]))
    scribble(service, volume["id"], 4096, b"lost")
    client("POST", f"/volumes/{volume['id']}/action", {"revert": {"snapshot_id": snapshot["id"]}}, expect=202)
    client.settled("volumes", volume["id"])
    client.settled("snapshots", snapshot["id"])
    assert digest(path(service, volume["id"])) == before


def test_backup_chain_is_restored_to_old_and_new_volumes(client, service):
    volume = client.made("volumes", size=1, metadata={"owner": "ann"})
    scribble(service, volume["id"], 0, os.urandom(1 << 20))
    full = client.made("backups", volume_id=volume["id"])
    scribble(service, volume["id"], 8 << 20, os.urandom(1 << 20))
    increment = client.made("backups", volume_id=volume["id"], incremental=True)
    assert client("GET", f"/backups/{increment['id']}", expect=200)["backup"]["is_incremental"]
    assert client("DELETE", f"/backups/{full['id']}")[0] == 400
    wanted = digest(path(service, volume["id"]))
    scribble(service, volume["id"], 0, bytes(1 << 20))
    restore = client("POST", f"/backups/{increment['id']}/restore", {"restore": {"volume_id": volume["id"]}},
                     expect=202)
    assert restore["restore"]["volume_id"] == volume["id"]
    client.settled("volumes", volume["id"])
    assert digest(path(service, volume["id"])) == wanted
    client.settled("backups", increment["id"])
    new = client("POST", f"/backups/{increment['id']}/restore", {"restore": {}}, expect=202)["restore"]["volume_id"]
    restored = client.settled("volumes", new)
    assert digest(path(service, new)) == wanted
    assert restored["metadata"] == {"owner": "ann", "src_backup_id": increment["id"]}
    client.settled("backups", increment["id"])


def test_attached_volume_is_written_over_iscsi(client, service, tmp_path):
    volume = client.made("volumes", size=1)
    attachment = client("POST", "/attachments", {"attachment": {
        "volume_uuid": volume["id"], "instance_uuid": SERVER, "connector": CONNECTOR}}, expect=200)["attachment"]
    info = attachment["connection_info"]
    image = tmp_path / "image"
    image.write_bytes(os.urandom(4 << 20))
    url = (f"iscsi://{info['auth_username']}%{info['auth_password']}@{info['target_portal']}/{info['target_iqn']}/"
           f"{info['target_lun']}")
    subprocess.run(["qemu-img", "convert", "-n", "-f", "raw", "-O", "raw", image, url], check=True, capture_output=True)
    client("POST", f"/attachments/{attachment['id']}/action", {"os-complete": {}}, expect=204)
    assert client.settled("volumes", volume["id"], "in-use")["attachments"][0]["server_id"] == SERVER
    client("DELETE", f"/attachments/{attachment['id']}", expect=200)
    client.settled("volumes", volume["id"])
    with open(path(service, volume["id"]), "rb") as data:
        assert data.read(4 << 20) == image.read_bytes()
    refused = subprocess.run(["qemu-img", "info", url], capture_output=True, text=True)
    assert refused.returncode != 0


def test_volume_in_use_is_backed_up_from_a_frozen_copy(client, service):
    volume = client.made("volumes", size=1)
    scribble(service, volume["id"], 0, b"in use")
    wanted = digest(path(service, volume["id"]))
    attachment = client("POST", "/attachments", {"attachment": {
        "volume_uuid": volume["id"], "instance_uuid": SERVER, "connector": CONNECTOR}}, expect=200)["attachment"]
    client("POST", f"/attachments/{attachment['id']}/action", {"os-complete": {}}, expect=204)
    assert client("POST", "/backups", {"backup": {"volume_id": volume["id"]}})[0] == 400
    backup = client.made("backups", volume_id=volume["id"], force=True)
    client.settled("volumes", volume["id"], "in-use")
    new = client("POST", f"/backups/{backup['id']}/restore", {"restore": {}}, expect=202)["restore"]["volume_id"]
    client.settled("volumes", new)
    assert digest(path(service, new)) == wanted
    assert not [name for name in os.listdir(os.path.join(service.state, "volumes")) if backup["id"] in name]
