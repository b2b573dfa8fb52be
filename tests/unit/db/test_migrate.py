"""Migrations produce the schema; a database of another revision is refused."""

import sqlite3
import types

import alembic.script
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from cinder_lite import db, errors
from cinder_lite.db import metadata_index, migrate, schema


def database(path):
    return db.Database(types.SimpleNamespace(
        connection=f"sqlite:///{path}/test.sqlite", max_pool_size=5, max_overflow=5, pool_timeout=5,
        connection_recycle_time=3600))


def test_head_is_the_newest_migration():
    assert alembic.script.ScriptDirectory(migrate.DIRECTORY).get_current_head() == migrate.HEAD


def test_migrations_lead_to_the_schema(tmp_path):
    found = database(tmp_path)
    migrate.sync(found)
    assert migrate.current(found) == migrate.HEAD
    with found.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.METADATA) == []


@pytest.mark.parametrize("name,further,expected", [
    ("sqlite", {}, "SQLite"), ("mysql", {"is_mariadb": False}, "MySQL"), ("mysql", {"is_mariadb": True}, "MariaDB")])
def test_a_server_without_what_deletions_need_is_refused(tmp_path, monkeypatch, name, further, expected):
    found = database(tmp_path)
    migrate.sync(found)
    for attribute, value in {"name": name, "delete_returning": False, **further}.items():
        monkeypatch.setattr(found.engines[0].dialect, attribute, value, raising=False)
    for refused in (migrate.current, migrate.expect_current, migrate.sync):
        with pytest.raises(errors.Misconfigured) as caught:
            refused(found)
        assert f"is {expected} {sqlite3.sqlite_version}, which lacks DELETE ... RETURNING" in str(caught.value)


def test_syncing_twice_changes_nothing(tmp_path):
    found = database(tmp_path)
    migrate.sync(found)
    migrate.sync(found)
    with found.read() as tx:
        assert tx.execute(sa.select(schema.volume_types.c.name)).scalars().all() == ["__DEFAULT__"]


def test_labels_of_before_get_their_places(tmp_path):
    found = database(tmp_path)
    migrate.sync(found, "0003")
    rows = [{"id": f"{kind}-1", "project_id": "p", "created_at": db.now(), "metadata": {"é": "ü %", "k": ""}}
            for kind in metadata_index.TABLES]
    with found.write() as tx:
        for row, table in zip(rows, metadata_index.TABLES.values(), strict=True):
            values = {**dict.fromkeys(("admin_metadata", "image_metadata", "facts", "export"), {}), "volume_id": "v",
                      "user_id": "u", "size": 1, "status": "available", **row}
            tx.execute(sa.insert(table), {name: value for name, value in values.items() if name in table.c})
        old = [{key: label[key] for key in ("resource_id", "key", "value")}
               for kind, row in zip(metadata_index.TABLES, rows, strict=True)
               for label in metadata_index.rows(kind, [row])]
        tx.execute(sa.text("INSERT INTO labels (resource_id, key, value) VALUES (:resource_id, :key, :value)"), old)
    migrate.sync(found)
    with found.read() as tx:
        assert {tuple(row) for row in tx.execute(sa.select(schema.metadata_index))} == {
            tuple(label.values()) for kind, row in zip(metadata_index.TABLES, rows, strict=True)
            for label in metadata_index.rows(kind, [row])}


@pytest.mark.parametrize("revision", [None, "0000"])
def test_another_revision_is_refused(tmp_path, revision):
    found = database(tmp_path)
    if revision is not None:
        migrate.sync(found)
        with found.write() as tx:
            tx.execute(sa.text("UPDATE alembic_version SET version_num = :r"), {"r": revision})
    with pytest.raises(errors.Misconfigured, match="cinder-lite-manage db sync"):
        migrate.expect_current(found)


def test_volumes_of_before_belong_to_their_services(tmp_path):
    found = database(tmp_path)
    migrate.sync(found, "0005")
    hosts = ["a@x_1#p", "a@x_1#q", "a@xy1#p", "b@x#p", None]
    with found.write() as tx:
        for number, host in enumerate(hosts):
            row = {**dict.fromkeys(("metadata", "admin_metadata", "image_metadata", "facts", "export"), {}),
                   "id": f"v{number}",
                   "user_id": "u", "project_id": "p", "size": 1, "status": "available", "created_at": db.now(),
                   "host": host,
                   "shared_targets": None}
            tx.execute(sa.insert(schema.volumes).values(**row))
        for uuid, binary, host in (("1", "cinder-volume", "a@x_1"), ("2", "cinder-backup", "b@x"),
                                   ("3", "cinder-volume", "a@x")):
            tx.execute(sa.insert(schema.services).values(uuid=uuid, binary=binary, host=host, availability_zone="nova",
                                                         created_at=db.now()))
    migrate.sync(found)
    V = schema.volumes
    with found.read() as tx:
        assert tx.execute(sa.select(V.c.service_uuid, V.c.shared_targets).order_by(V.c.id)).all() == [
            ("1", False), ("1", False), (None, None), (None, None), (None, None)]


@pytest.mark.parametrize("specs", [None, {"of": "somebody"}])
def test_the_group_type_of_consistency_groups_is_created_once(tmp_path, specs):
    found, T = database(tmp_path), schema.group_types
    migrate.sync(found, "0005")
    if specs is not None:
        with found.write() as tx:
            tx.execute(sa.insert(T).values(id="t", name="default_cgsnapshot_type", group_specs=specs,
                                           created_at=db.now()))
    migrate.sync(found)
    with found.write() as tx:
        assert tx.execute(sa.select(T.c.name, T.c.is_public, T.c.group_specs)).all() == [
            ("default_cgsnapshot_type", True, specs or {"consistent_group_snapshot_enabled": "<is> True"})]
        tx.execute(sa.delete(T))
    migrate.sync(found)
    with found.read() as tx:
        assert tx.execute(sa.select(T.c.name)).all() == []
