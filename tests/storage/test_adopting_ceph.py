"""Import of a Cinder 29 on Ceph, filled through its own API: same ids, same bytes, usable."""

import contextlib
import json
import os
import random

import pytest

from cinder_lite.blockio import device
from cinder_lite.cmd import manage
from tests.contract import backends
from tests.functional.service import Service, until
from tests.functional.test_administrators import sound
from tests.services import servers
from tests.storage import ceph as ceph_module
from tests.storage import rbd
from tests.storage.real_cinder import PROJECT, Cinder, Project
from tests.storage.test_rbd_driver import listed

OTHER = "b" * 32
MIB = 1024**2
DATA = random.Random(29).randbytes(5 * MIB)
PLACES = (0, 300 * MIB + 12288, 1024 * MIB - len(DATA))
SECTION = """
[ceph-ssd]
volume_driver = cinder.volume.drivers.rbd.RBDDriver
volume_backend_name = SSD
rbd_pool = volumes
rbd_user = {user}
rbd_ceph_conf = {ceph.conf}
rbd_secret_uuid = 457eb676-33da-42ec-9a8c-9293d545c337
"""


@contextlib.contextmanager
def driver(ceph):
    made = rbd.driver(ceph)
    try:
        yield made
    finally:
        made.close()


def place(found, id):
    return found.content(backends.base.Volume(id, 1))


def fill(ceph, volume, data):
    with driver(ceph) as found, device.target(place(found, volume["id"])) as target:
        for at in PLACES:
            target.write(at, data)
        target.sync()


def holds(ceph, id, data):
    """Whether the volume has the data at all places, and nothing but zeros elsewhere."""
    with driver(ceph) as found, device.source(place(found, id)) as source:
        if [source.read(at, len(data)) for at in PLACES] != [data] * len(PLACES):
            return False
        elsewhere, at = [], 0
        for begin, end in source.extents(0, 1024 * MIB):
            for at in range(begin, end, MIB):
                stop = min(at + MIB, end)
                if not any(at < there + len(data) and there < stop for there in PLACES):
                    elsewhere.append(source.read(at, stop - at).strip(b"\0"))
        return not any(elsewhere)


def filled(ceph, cinder, database):
    """What Cinder's API made, by names."""
    a, made = Project(cinder.url, PROJECT), {}
    made["type"] = a("POST", "/types", {"volume_type": {"name": "ssd", "extra_specs": {
        "volume_backend_name": "SSD"}}})["volume_type"]
    made["private"] = a("POST", "/types", {"volume_type": {"name": "own", "os-volume-type-access:is_public": False}})[
        "volume_type"]
    a("POST", f"/types/{made['private']['id']}/action", {"addProjectAccess": {"project": OTHER}}, 202)
    a("POST", f"/types/{made['private']['id']}/encryption", {"encryption": {
        "provider": "luks", "control_location": "front-end", "cipher": "aes-xts-plain64", "key_size": 256}})
    qos = a("POST", "/qos-specs", {"qos_specs": {"name": "fast", "consumer": "front-end", "total_iops_sec": "500"}})
    a("GET", f"/qos-specs/{qos['qos_specs']['id']}/associate?vol_type_id={made['type']['id']}", expect=202)
    a("PUT", f"/os-quota-sets/{PROJECT}", {"quota_set": {"volumes": 33, "gigabytes_ssd": 77}})
    # Cinder asks Keystone before it does this.
    with database.connect() as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO default_volume_types (volume_type_id, project_id, deleted) VALUES (%s, %s, 0)",
                       (made["type"]["id"], OTHER))
    group_type = a("POST", "/group_types", {"group_type": {"name": "together"}}, 202)["group_type"]

    made["volume"] = a.made("volumes", size=1, name="one", metadata={"for": "tests"}, description="the first")
    fill(ceph, made["volume"], DATA)
    made["snapshot"] = a.made("snapshots", volume_id=made["volume"]["id"], metadata={"kept": "yes"})
    made["full"] = a.made("backups", volume_id=made["volume"]["id"], name="whole", metadata={"b": "1"})
    fill(ceph, made["volume"], DATA[::-1])
    made["increment"] = a.made("backups", volume_id=made["volume"]["id"], incremental=True)
    fill_backups(ceph, cinder, a, made)
    fill(ceph, made["volume"], DATA[::-1])
    made["clone"] = a.made("volumes", size=1, source_volid=made["volume"]["id"])
    made["former"] = a.made("volumes", size=1, snapshot_id=made["snapshot"]["id"])
    made["gone"] = a.made("volumes", size=1)
    fill(ceph, made["gone"], DATA)
    made["orphan"] = a.made("volumes", size=1, source_volid=made["gone"]["id"])
    a.gone("volumes", made["gone"]["id"])
    group = a("POST", "/groups", {"group": {"name": "g", "group_type": group_type["id"], "volume_types": [
        made["type"]["id"]]}}, 202)["group"]
    made["group"] = a.settled("groups", group["id"])
    made["member"] = a.made("volumes", size=1, group_id=group["id"], volume_type=made["type"]["id"])
    snapshot = a("POST", "/group_snapshots", {"group_snapshot": {"group_id": group["id"]}}, 202)["group_snapshot"]
    made["group_snapshot"] = a.settled("group_snapshots", snapshot["id"])
    made["attachment"] = a("POST", "/attachments", {"attachment": {
        "volume_uuid": made["clone"]["id"], "instance_uuid": made["clone"]["id"], "connector": {
            "host": "nova1", "ip": "127.0.0.1", "initiator": "iqn.x", "platform": "x86_64", "os_type": "linux2"}}})[
        "attachment"]
    a("POST", f"/attachments/{made['attachment']['id']}/action", {"os-complete": {}}, 204)
    made["given"] = a.made("volumes", size=1)
    fill(ceph, made["given"], DATA)
    made["transfer"] = a("POST", "/volume-transfers", {"transfer": {
        "volume_id": made["given"]["id"], "name": "to b"}}, 202)["transfer"]
    nowhere = a("POST", "/types", {"volume_type": {"name": "nowhere", "extra_specs": {"volume_backend_name": "X"}}})
    made["failed"] = a("POST", "/volumes", {"volume": {
        "size": 1, "volume_type": nowhere["volume_type"]["id"]}}, 202)["volume"]
    a.settled("volumes", made["failed"]["id"], "error")
    made["shown"] = shown(a)
    return made


def fill_backups(ceph, cinder, a, made):
    """Backups in Ceph: a full one, one that builds on it, one on that after the volume grew, and one of a snapshot."""
    cinder.keep_backups_in_ceph()
    kept = made["backed"] = a.made("volumes", size=1, metadata={"for": "images"})
    fill(ceph, kept, DATA)
    snapshot = a.made("snapshots", volume_id=kept["id"])
    made["image"] = a.made("backups", volume_id=kept["id"])
    fill(ceph, kept, DATA[1:] + DATA[:1])
    made["second"] = a.made("backups", volume_id=kept["id"], incremental=True)
    fill(ceph, kept, DATA[2:] + DATA[:2])
    made["third"] = a.made("backups", volume_id=kept["id"], incremental=True)
    made["of_snapshot"] = a.made("backups", volume_id=kept["id"], snapshot_id=snapshot["id"])
    a.gone("snapshots", snapshot["id"])


def shown(project):
    """What both APIs show in the same words."""
    kept = {
        "volumes": ("id", "name", "description", "size", "status", "metadata", "volume_type", "bootable", "snapshot_id",
                    "source_volid", "group_id", "availability_zone", "created_at", "user_id", "multiattach"),
        "snapshots": ("id", "name", "status", "size", "volume_id", "metadata", "group_snapshot_id"),
        "backups": ("id", "name", "status", "size", "volume_id", "is_incremental", "has_dependent_backups", "metadata",
                    "object_count", "container"),
        "groups": ("id", "name", "status", "group_type", "volume_types"),
        "group_snapshots": ("id", "group_id", "status"), "attachments": ("id", "status", "volume_id", "instance"),
        "messages": ("id", "event_id", "resource_uuid", "message_level", "request_id")}
    found = {kind: sorted(({key: one[key] for key in keys} for one in project("GET", path)[kind]),
                          key=lambda one: one["id"])
             for kind, keys in kept.items() for path in [f"/{kind}" + ("/detail" if kind != "messages" else "")]}
    found["types"] = sorted(((one["id"], one["name"], one["extra_specs"], one["qos_specs_id"]) for one in project(
        "GET", "/types?is_public=None")["volume_types"]), key=str)
    usage = project("GET", f"/os-quota-sets/{PROJECT}?usage=true")["quota_set"]
    found["quota"] = {key: (value["limit"], value["in_use"]) for key, value in usage.items() if isinstance(value, dict)
                      and (value["limit"] >= 0 or value["in_use"])}
    found["transfers"] = [one["id"] for one in project("GET", "/volume-transfers")["transfers"]]
    return found


@pytest.fixture(scope="module")
def taken(ceph):
    """(what Cinder made, the service that took it over, its Ceph)."""
    rbd.emptied(ceph)
    with servers.MariaDB() as database, servers.RabbitMQ() as broker:
        servers.started(database, broker)
        with Cinder(ceph, database.cinder_url, broker.url) as cinder:
            made = filled(ceph, cinder.start(), database)
            cinder.stop()
            service = Service(backends=("ceph-ssd",), host="ctl1", target=False, default=(
                "job_sweep_interval = 1\nbackend_stats_polling_interval = 2\ndefault_volume_type = ssd\n"
                f"backup_ceph_conf = {ceph.conf}"),
                sections={"ceph-ssd": SECTION.format(ceph=ceph, user=ceph_module.USER)})
            os.symlink(os.path.join(cinder.path, "backup"), os.path.join(service.state, "backups"))
            made["before"] = said(service, "import-cinder", "--from", database.url, "--dry-run")
            made["import"] = said(service, "import-cinder", "--from", cinder.config_file)
            made["again"] = said(service, "import-cinder", "--from", cinder.config_file)
            with service:
                yield made, service, ceph


def said(service, *words):
    """(exit status, lines) of cinder-lite-manage."""
    import io

    assert manage.main(["--config-file", service.config_file, "db", "sync"]) == 0
    with contextlib.redirect_stdout(io.StringIO()) as out:
        status = manage.main(["--config-file", service.config_file, *words])
    return status, out.getvalue().splitlines()


def counts(lines):
    """{kind: [taken, there, left]} of the table."""
    found = {}
    for line in lines:
        words = line.split()
        if len(words) == 4 and words[1].isdigit():
            found[words[0]] = [int(word) for word in words[1:]]
    return found


def test_all_is_taken_once_and_a_dry_run_changes_nothing(taken):
    made, _, _ = taken
    assert made["before"][0] == made["import"][0] == made["again"][0] == 0, made["import"]
    first = counts(made["import"][1])
    assert counts(made["before"][1]) == first and made["before"][1][-1] == "Nothing was changed."
    assert [first[kind][0] for kind in ("volumes", "snapshots", "backups", "attachments", "transfers", "messages")] == [
        8, 2, 6, 1, 1, 1]
    assert all(row[0] == 0 for row in counts(made["again"][1]).values())


def test_what_the_api_shows_is_the_same(taken):
    made, service, _ = taken
    now = shown(Project(service.url, PROJECT))
    for kind, before in made["shown"].items():
        assert now[kind] == before, kind
    default = Project(service.url, PROJECT)("GET", f"/default-types/{OTHER}")["default_type"]
    assert default["volume_type_id"] == made["type"]["id"]


def test_all_goes_on(taken):
    made, service, ceph = taken
    a, b = Project(service.url, PROJECT), Project(service.url, OTHER)
    volume = made["volume"]["id"]
    assert holds(ceph, volume, DATA[::-1]) and holds(ceph, made["clone"]["id"], DATA[::-1])
    assert holds(ceph, made["former"]["id"], DATA) and holds(ceph, made["orphan"]["id"], DATA)
    for backup, data in (("increment", DATA[::-1]), ("full", DATA)):
        new = a.made("volumes", size=1, backup_id=made[backup]["id"])
        assert holds(ceph, new["id"], data) and new["metadata"]["for"] == "tests"
        a.gone("volumes", new["id"])
    a("POST", f"/backups/{made['full']['id']}/restore", {"restore": {"volume_id": volume}}, 202)
    a.settled("backups", made["full"]["id"])
    a.settled("volumes", volume)
    assert holds(ceph, volume, DATA)
    a("POST", f"/volumes/{volume}/action", {"os-extend": {"new_size": 2}}, 202)
    assert until(lambda: a("GET", f"/volumes/{volume}")["volume"]["size"] == 2, "the larger size")
    a.settled("volumes", volume)
    said = a("POST", "/backups", {"backup": {"volume_id": volume, "incremental": True}}, 400)
    assert "full" in said["badRequest"]["message"]
    a.made("backups", volume_id=volume)
    key = made["transfer"]["auth_key"]
    b("POST", f"/volume-transfers/{made['transfer']['id']}/accept", {"accept": {"auth_key": "no" + key}}, 400)
    b("POST", f"/volume-transfers/{made['transfer']['id']}/accept", {"accept": {"auth_key": key}}, 202)
    assert b("GET", f"/volumes/{made['given']['id']}")["volume"]["status"] == "available"
    a("DELETE", f"/attachments/{made['attachment']['id']}")
    assert a("GET", f"/volumes/{made['clone']['id']}")["volume"]["status"] == "available"
    sound(service, a)


def test_backups_in_ceph_are_restored_and_deleted(taken):
    made, service, ceph = taken
    a = Project(service.url, PROJECT)
    for backup, data in (("third", DATA[2:] + DATA[:2]), ("second", DATA[1:] + DATA[:1]), ("image", DATA),
                         ("of_snapshot", DATA)):
        new = a.made("volumes", size=1, backup_id=made[backup]["id"])
        assert holds(ceph, new["id"], data) and new["metadata"]["for"] == "images"
        a.gone("volumes", new["id"])
    over = a.made("volumes", size=2)
    fill(ceph, over, DATA[::-1])
    a("POST", f"/backups/{made['second']['id']}/restore", {"restore": {"volume_id": over["id"]}}, 202)
    a.settled("backups", made["second"]["id"])
    a.settled("volumes", over["id"])
    assert holds(ceph, over["id"], DATA[1:] + DATA[:1])
    sound(service, a)
    a("DELETE", f"/backups/{made['second']['id']}", expect=400)
    a.gone("backups", made["third"]["id"])
    for backup in ("second", "image"):
        new = a.made("volumes", size=1, backup_id=made[backup]["id"])
        assert holds(ceph, new["id"], DATA[1:] + DATA[:1] if backup == "second" else DATA)
        a.gone("backups", made[backup]["id"])
    assert [name for name in stored(ceph)
            if made["of_snapshot"]["id"] not in name] == [f"volume-{made['backed']['id']}.backup.base"]
    a.gone("backups", made["of_snapshot"]["id"])
    assert stored(ceph) == []


def stored(ceph):
    """What is in the pool of the backups: its images and Cinder's objects, without what RBD keeps of the pool."""
    objects = ceph.run("rados", "--pool", "backups", "ls").split()
    return [*json.loads(ceph.run("rbd", "--pool", "backups", "ls", "--format", "json")),
            *(name for name in objects if name.startswith("backup."))]


def test_all_can_be_deleted_and_nothing_is_left(taken):
    made, service, ceph = taken
    a, b = Project(service.url, PROJECT), Project(service.url, OTHER)
    a.gone("snapshots", made["snapshot"]["id"])
    assert holds(ceph, made["former"]["id"], DATA)
    a.gone("group_snapshots", made["group_snapshot"]["id"])
    a("POST", f"/groups/{made['group']['id']}/action", {"delete": {"delete-volumes": True}}, 202)
    until(lambda: a("GET", "/groups")["groups"] == [], "the group to be gone")
    for backup in sorted(a("GET", "/backups/detail")["backups"], key=lambda one: one["has_dependent_backups"]):
        a.gone("backups", backup["id"])
    b.gone("volumes", made["given"]["id"])
    for volume in a("GET", "/volumes")["volumes"]:
        a.gone("volumes", volume["id"])
    sound(service, a)
    until(lambda: listed(ceph, "trash", "ls") == [] and listed(ceph, "ls") == [], "the pool to be empty")
    assert [names for _, _, names in os.walk(os.path.join(service.state, "backups")) if names] == []
