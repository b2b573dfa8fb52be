"""The import from a Cinder database: its report, a dry run, a repeated run and the statuses of a stopped Cinder."""

import datetime

import pytest
import sqlalchemy as sa

from cinder_lite import db, import_cinder
from cinder_lite.db import audit, schema
from cinder_lite.import_cinder import database, source
from tests.functional.installation import Installation

pytestmark = pytest.mark.once

COMMON = ("id", "created_at", "updated_at", "deleted")
#: Columns of Cinder's tables that the import reads, besides the common ones.
COLUMNS = {
    "volumes": "project_id user_id display_name display_description size status attach_status migration_status host "
               "replication_status availability_zone volume_type_id snapshot_id source_volid group_id _name_id "
               "provider_id provider_location provider_auth encryption_key_id service_uuid bootable multiattach "
               "use_quota shared_targets launched_at",
    "volume_types": "name description is_public qos_specs_id", "default_volume_types": "project_id volume_type_id",
    "quotas": "project_id resource hard_limit", "quality_of_service_specs": "specs_id key value",
    "services": "binary host report_count uuid availability_zone disabled disabled_reason frozen",
    "clusters": "name binary", "snapshots": "use_quota", "transfers": "no_snapshots volume_id",
    "volume_attachment": "connector volume_id attach_status", "groups": "group_type_id",
}
KEYS = "volume_id snapshot_id backup_id volume_type_id group_type_id key value"
TIMES = ("created_at", "updated_at", "launched_at")
CREATED = datetime.datetime(2026, 1, 1)


@pytest.fixture
def cinder(tmp_path):
    """A function that inserts a row to a table of Cinder's database, which it returns without arguments."""
    url = f"sqlite:///{tmp_path}/source.sqlite"
    engine, metadata = sa.create_engine(url), sa.MetaData()
    for name in source.TABLES:
        sa.Table(name, metadata, *(
            sa.Column(column, sa.DateTime if column in TIMES else sa.Boolean if column == "deleted" else sa.Integer
                      if column in ("size", "hard_limit", "report_count") else sa.String)
            for column in (*COMMON, *COLUMNS.get(name, KEYS).split())))
    metadata.create_all(engine)

    def insert(table=None, **values):
        if table is None:
            return database.CinderDatabase(url)
        with engine.begin() as tx:
            tx.execute(sa.insert(metadata.tables[table]).values(deleted=False, created_at=CREATED, **values))
        return None

    yield insert
    engine.dispose()


@pytest.fixture
def here(tmp_path):
    return Installation(tmp_path).sync()


def volume(cinder, id, **values):
    cinder("volumes", id=id, project_id="red", user_id="ann", size=3, attach_status="detached", host="ctl@lvm#LVM",
           use_quota="1", **{"status": "available", "volume_type_id": "gold", **values})


def test_records_are_imported_once_and_a_dry_run_changes_nothing(cinder, here):
    cinder("volume_types", id="gold", name="gold", is_public="1")
    volume(cinder, "v1")
    cinder("volume_metadata", id="1", volume_id="v1", key="tier", value="fast")
    preview = import_cinder.run(cinder(), here.db, here.conf, {}, dry_run=True)
    assert here.rows("volumes") == []
    first = import_cinder.run(cinder(), here.db, here.conf, {}, dry_run=False)
    assert preview.counts == first.counts and first.counts["volumes"] == {"imported": 1, "present": 0, "skipped": 0}
    row, = here.rows("volumes")
    assert (row.host, row.metadata) == ("ctl@lvm#lvm", {"tier": "fast"})
    with here.db.read() as tx:
        assert audit.usage_rows(tx, "red")["red", "gigabytes", "gold"] == 3
        assert all(one.correct for one in audit.indexed(tx))
    with here.db.write() as tx:
        tx.execute(sa.delete(schema.volumes))
    again = import_cinder.run(cinder(), here.db, here.conf, {}, dry_run=False)
    assert again.counts["volumes"] == {"imported": 0, "present": 1, "skipped": 0} and here.rows("volumes") == []


def test_records_that_cannot_be_imported_are_reported_with_the_reason(cinder, here):
    volume(cinder, "v1", volume_type_id="lost")
    cinder("quotas", id="1", project_id="red", resource="tapes", hard_limit=3)
    report = import_cinder.run(cinder(), here.db, here.conf, {"nowhere": "here"}, dry_run=False)
    assert report.skipped == [("quotas", "red tapes", "the resource tapes is unknown"),
                              ("volumes", "v1", "its volume_type_id lost does not exist")]
    assert "--host-map nowhere: no record has this host" in report.notes


def test_transitional_statuses_are_replaced_and_reported(cinder, here):
    volume(cinder, "v1", status="creating", volume_type_id=None)
    report = import_cinder.run(cinder(), here.db, here.conf, {}, dry_run=False)
    assert report.changed == [("volumes", "v1", "status creating -> error")]
    assert here.row("volumes", "v1").status == "error"


def test_services_with_a_recent_heartbeat_are_alive(cinder):
    cinder("services", id="1", binary="cinder-volume", host="ctl@lvm", report_count=7, updated_at=db.now())
    cinder("services", id="2", binary="cinder-api", host="ctl", report_count=7, updated_at=CREATED)
    assert import_cinder.alive(cinder()) == [("cinder-volume on ctl@lvm", 7)]


def test_a_database_of_an_old_release_is_refused(tmp_path, here):
    engine = sa.create_engine(f"sqlite:///{tmp_path}/old.sqlite")
    metadata = sa.MetaData()
    for name in ("volumes", "volume_glance_metadata"):
        sa.Table(name, metadata, sa.Column("id", sa.String))
    metadata.create_all(engine)
    old = database.CinderDatabase(f"sqlite:///{tmp_path}/old.sqlite")
    with pytest.raises(database.NotCinders, match="before 2023.1"):
        import_cinder.run(old, here.db, here.conf, {}, dry_run=True)
    old.close()
    engine.dispose()
