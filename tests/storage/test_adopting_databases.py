"""Import of the tables of Cinder in each database, and of volumes that Cinder migrated to another name."""

import os
import random
import subprocess
import uuid

import pytest
import sqlalchemy as sa

from cinder_lite.db import drivers
from tests.functional.service import Service, until
from tests.functional.test_administrators import sound
from tests.services import servers
from tests.storage.real_cinder import ENVIRONMENT, PROJECT, Project
from tests.storage.test_adopting_ceph import counts, said

GIB = 1024**3
DATA = random.Random(30).randbytes(1024**2)
OTHER = "b" * 32
SECTION = """
[file-1]
volume_driver = file
file_volume_dir = {state}/volumes
target_helper = nbd
"""


@pytest.fixture(params=[servers.MariaDB, servers.PostgreSQL], ids=["mariadb", "postgresql"])
def database(request, tmp_path):
    """A database with Cinder's own tables. Cinder has another driver for PostgreSQL than we."""
    with request.param() as server:
        server.start()
        conf = tmp_path / "cinder.conf"
        conf.write_text(f"[database]\nconnection = {server.cinder_url}\n")
        subprocess.run([ENVIRONMENT / "bin" / "cinder-manage", "--config-file", conf, "db", "sync"], check=True,
                       capture_output=True, timeout=300)
        yield server


def fill(url, rows):
    """Insert [(table, values)] as Cinder has them."""
    engine, tables = sa.create_engine(drivers.url_of(url)), sa.MetaData()
    with engine.begin() as tx:
        tables.reflect(tx)
        for name, values in rows:
            tx.execute(sa.insert(tables.tables[name]).values(**values))
    engine.dispose()


def cinders(type_id):
    """(ids by name, rows): a volume that was migrated and so lies under another id, its snapshot, one that is
    deleted."""
    ids = {name: str(uuid.uuid4()) for name in ("migrated", "data", "snapshot", "plain", "deleted", "private")}
    owned = {"project_id": PROJECT, "user_id": "ann", "created_at": "2026-01-01 01:02:03"}
    volume = {**owned, "size": 1, "status": "available", "attach_status": "detached", "host": "ctl1@file-1#SSD",
              "volume_type_id": type_id, "deleted": False, "use_quota": True, "launched_at": "2026-01-01 01:02:04"}
    return ids, [
        ("volume_types", {"id": ids["private"], "name": "private", "is_public": False, "deleted": False}),
        ("volume_type_projects", {"volume_type_id": ids["private"], "project_id": OTHER, "deleted": 0}),
        ("volume_type_projects", {"volume_type_id": ids["private"], "project_id": PROJECT, "deleted": 1}),
        ("volumes", {**volume, "id": ids["migrated"], "display_name": "moved", "_name_id": ids["data"],
                     "migration_status": "success"}),
        ("volumes", {**volume, "id": ids["plain"], "display_name": "plain", "bootable": True}),
        ("volumes", {**volume, "id": ids["deleted"], "deleted": True, "status": "deleted"}),
        ("volume_metadata", {"volume_id": ids["migrated"], "key": "a", "value": "b", "deleted": False}),
        ("volume_metadata", {"volume_id": ids["migrated"], "key": "old", "value": "b", "deleted": True}),
        ("snapshots", {**owned, "id": ids["snapshot"], "volume_id": ids["migrated"], "volume_size": 1,
                       "status": "available",
                       "volume_type_id": type_id, "deleted": False, "use_quota": True, "progress": "100%"})]


def put(service, name, data):
    os.makedirs(os.path.join(service.state, "volumes"), exist_ok=True)
    with open(os.path.join(service.state, "volumes", name), "wb") as file:
        file.write(data)
        file.truncate(GIB)


def held(service, name):
    with open(os.path.join(service.state, "volumes", name), "rb") as file:
        return file.read(len(DATA))


def test_a_cinder_is_taken_over_with_what_it_has_migrated(database):
    with database.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT id FROM volume_types WHERE name = '__DEFAULT__'")
        type_id, = cursor.fetchone()
    ids, rows = cinders(type_id)
    fill(database.url, rows)
    service = Service(sections={"file-1": SECTION}, target=False, host="ctl1")
    put(service, f"volume-{ids['data']}", DATA)
    put(service, f"snapshot-{ids['snapshot']}", DATA[::-1])
    put(service, f"volume-{ids['plain']}", b"plain")
    status, lines = said(service, "import-cinder", "--from", database.url)
    assert status == 0, lines
    taken = {kind: row[0] for kind, row in counts(lines).items()}
    assert (taken["volumes"], taken["snapshots"], taken["volume_type_projects"]) == (2, 1, 1)
    assert counts(said(service, "import-cinder", "--from", database.url)[1])["volumes"] == [0, 2, 0]
    with service:
        goes_on(service, ids)


def goes_on(service, ids):
    a = Project(service.url, PROJECT)
    moved = a("GET", f"/volumes/{ids['migrated']}")["volume"]
    assert (moved["name"], moved["metadata"], moved["os-vol-mig-status-attr:name_id"]) == ("moved", {"a": "b"},
                                                                                           ids["data"])
    assert a("GET", f"/types/{ids['private']}/os-volume-type-access")["volume_type_access"] == [
        {"volume_type_id": ids["private"], "project_id": OTHER}]
    clone = a.made("volumes", size=1, source_volid=ids["migrated"])
    former = a.made("volumes", size=1, snapshot_id=ids["snapshot"])
    assert held(service, f"volume-{clone['id']}") == DATA and held(service, f"volume-{former['id']}") == DATA[::-1]
    a("POST", f"/volumes/{ids['migrated']}/action", {"os-extend": {"new_size": 2}}, 202)
    until(lambda: a("GET", f"/volumes/{ids['migrated']}")["volume"]["size"] == 2, "the larger size")
    assert os.path.getsize(os.path.join(service.state, "volumes", f"volume-{ids['data']}")) == 2 * GIB
    a.made("backups", volume_id=ids["migrated"])
    sound(service, a)
    a.gone("snapshots", ids["snapshot"])
    for id in (ids["migrated"], ids["plain"], clone["id"], former["id"]):
        a.gone("volumes", id)
    assert os.listdir(os.path.join(service.state, "volumes")) == []
